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
        if buffer.count < count { buffer = AlignedBuffer(count: count) }
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
