import Kernels

/// What one thread needs beside the batch's activations.
final class EncoderScratch {
    /// `[block, chunk]`: what stands between the two feed-forward layers for a block of rows.
    private(set) var intermediate = AlignedBuffer(count: 0)
    /// A head's keys, values and scores.
    private(set) var attention = AlignedBuffer(count: 0)
    /// For panels with columns that no output has.
    private(set) var narrow = AlignedBuffer(count: 0)

    var byteCount: Int { (intermediate.count + attention.count + narrow.count) * 4 }

    /// The floats that it holds for a batch.
    static func count(longest: Int, _ c: BertConfiguration) -> Int {
        SIMDPass.blockRowCount * SIMDPass.chunkWidth(c)
            + Attention.scratchCount(length: longest, headSize: c.headSize) + Linear.scratchCount
    }

    func reserve(longest: Int, _ c: BertConfiguration) {
        intermediate.grow(SIMDPass.blockRowCount * SIMDPass.chunkWidth(c))
        attention.grow(Attention.scratchCount(length: longest, headSize: c.headSize))
        narrow.grow(Linear.scratchCount)
    }

    func removeAll() {
        intermediate = AlignedBuffer(count: 0)
        attention = AlignedBuffer(count: 0)
        narrow = AlignedBuffer(count: 0)
    }
}
