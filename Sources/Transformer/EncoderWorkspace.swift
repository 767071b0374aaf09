import Kernels

/// The memory of one forward pass at a time: activations of one batch. Grows to the largest batch
/// seen; never in a layer.
public final class EncoderWorkspace {
    // T tokens, H hidden, I intermediate, L the longest sequence
    private(set) var hidden = AlignedBuffer(count: 0)  // [T, H]
    private(set) var projected = AlignedBuffer(count: 0)  // [T, H]
    private(set) var qkv = AlignedBuffer(count: 0)  // [T, 3H]
    private(set) var context = AlignedBuffer(count: 0)  // [T, H]
    /// `[T, I]`; where rows are computed in blocks, the scratch has a block's instead.
    private(set) var intermediate = AlignedBuffer(count: 0)
    /// `[L, L]`, where somebody looks at the scores or the BLAS library makes them.
    private(set) var scores = AlignedBuffer(count: 0)
    /// What a thread that takes part in a pass needs for itself.
    let scratch = EncoderScratch()

    public init() {}

    /// What it holds, in bytes.
    public var byteCount: Int {
        let rows = hidden.count + projected.count + qkv.count + context.count
        return (rows + intermediate.count + scores.count) * 4 + scratch.byteCount
    }

    /// What it holds for a batch when it held nothing before, in bytes.
    ///
    /// - Parameters:
    ///   - tokens: T.
    ///   - longest: L.
    public static func byteCount(
        tokens: Int, longest: Int, _ c: BertConfiguration, _ backend: Backend
    ) -> Int {
        let rows = tokens * 6 * c.hiddenSize
        switch backend {
        case .openblas: return (rows + tokens * c.intermediateSize + longest * longest) * 4
        case .simd:
            return
                (rows + SIMDPass.intermediateCount(tokens: tokens, c)
                + EncoderScratch.count(longest: longest, c)) * 4
        }
    }

    /// Gives the memory back.
    public func removeAll() {
        hidden = AlignedBuffer(count: 0)
        projected = AlignedBuffer(count: 0)
        qkv = AlignedBuffer(count: 0)
        context = AlignedBuffer(count: 0)
        intermediate = AlignedBuffer(count: 0)
        scores = AlignedBuffer(count: 0)
        scratch.removeAll()
    }

    /// Makes room for a batch.
    func reserveForBLAS(tokens: Int, longest: Int, _ c: BertConfiguration) {
        reserve(tokens: tokens, c)
        intermediate.grow(tokens * c.intermediateSize)
        scores.grow(longest * longest)
    }

    /// Makes room for a batch.
    ///
    /// - Parameters:
    ///   - intermediateCount: the floats between the two feed-forward layers.
    ///   - scoreCount: the floats of attention scores that somebody looks at.
    func reserveForSIMD(
        tokens: Int, intermediateCount: Int, scoreCount: Int, _ c: BertConfiguration
    ) {
        reserve(tokens: tokens, c)
        intermediate.grow(intermediateCount)
        scores.grow(scoreCount)
    }

    private func reserve(tokens: Int, _ c: BertConfiguration) {
        hidden.grow(tokens * c.hiddenSize)
        projected.grow(tokens * c.hiddenSize)
        qkv.grow(tokens * 3 * c.hiddenSize)
        context.grow(tokens * c.hiddenSize)
    }
}
