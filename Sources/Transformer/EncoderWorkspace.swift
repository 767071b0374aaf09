/// The memory of one forward pass at a time: activations of one batch. Grows to the largest batch
/// seen; never in a layer.
public final class EncoderWorkspace {
    // T tokens, H hidden, I intermediate, L the longest sequence
    private(set) var hidden = AlignedBuffer(count: 0)  // [T, H]
    private(set) var projected = AlignedBuffer(count: 0)  // [T, H]
    private(set) var qkv = AlignedBuffer(count: 0)  // [T, 3H]
    private(set) var context = AlignedBuffer(count: 0)  // [T, H]
    private(set) var intermediate = AlignedBuffer(count: 0)  // [T, I]
    private(set) var scores = AlignedBuffer(count: 0)  // [L, L]

    public init() {}

    /// What it holds, in bytes.
    public var byteCount: Int {
        [hidden, projected, qkv, context, intermediate, scores].reduce(0) { $0 + $1.count * 4 }
    }

    /// What it holds for a batch when it held nothing before, in bytes.
    ///
    /// - Parameters:
    ///   - tokens: T.
    ///   - longest: L.
    public static func byteCount(tokens: Int, longest: Int, _ c: BertConfiguration) -> Int {
        (tokens * (6 * c.hiddenSize + c.intermediateSize) + longest * longest) * 4
    }

    /// Gives the memory back.
    public func removeAll() {
        for buffer in [\.hidden, \.projected, \.qkv, \.context, \.intermediate, \.scores]
            as [ReferenceWritableKeyPath<EncoderWorkspace, AlignedBuffer>]
        {
            self[keyPath: buffer] = AlignedBuffer(count: 0)
        }
    }

    /// Makes room for a batch.
    func reserve(tokens: Int, longest: Int, _ c: BertConfiguration) {
        grow(&hidden, tokens * c.hiddenSize)
        grow(&projected, tokens * c.hiddenSize)
        grow(&qkv, tokens * 3 * c.hiddenSize)
        grow(&context, tokens * c.hiddenSize)
        grow(&intermediate, tokens * c.intermediateSize)
        grow(&scores, longest * longest)
    }

    private func grow(_ buffer: inout AlignedBuffer, _ count: Int) {
        guard buffer.count < count else { return }
        // The old one goes first: both at once would be more than was planned for.
        buffer = AlignedBuffer(count: 0)
        buffer = AlignedBuffer(count: count)
    }
}

/// Uninitialized floats on a 64-byte boundary.
final class AlignedBuffer {
    let pointer: UnsafeMutablePointer<Float>
    let count: Int

    init(count: Int) {
        self.count = count
        pointer = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
            .bindMemory(to: Float.self, capacity: max(count, 1))
    }

    deinit { UnsafeMutableRawPointer(pointer).deallocate() }
}
