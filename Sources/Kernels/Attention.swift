import KernelInterface

/// Scaled dot-product attention of one head over one sequence, of any length and without a mask.
///
/// Vaswani et al. 2017, https://arxiv.org/abs/1706.03762. A tile's queries at a time: their scores with
/// all keys stay in the first cache, and no `[L, L]` matrix is ever made.
///
/// Shapes: L tokens, D head size.
public enum Attention {
    public typealias Head = AttentionHead

    /// The floats of scratch that a head takes.
    public static func scratchCount(length: Int, headSize: Int) -> Int {
        Scratch.count(length: length, headSize: headSize)
    }

    /// What a head needs while it is computed.
    private struct Scratch {
        /// `[L / 16, D, 16]`
        let keys: UnsafeMutablePointer<Float>
        /// `[D / 16, L, 16]`
        let values: UnsafeMutablePointer<Float>
        /// `[12, L]`, rows of whole panels.
        let scores: UnsafeMutablePointer<Float>
        /// `[12]`: what each row of the context is multiplied by.
        let shares: UnsafeMutablePointer<Float>
        let narrow: UnsafeMutablePointer<Float>

        static func count(length: Int, headSize: Int) -> Int {
            Panels.elementCount(inner: headSize, columns: length)
                + Panels.elementCount(inner: length, columns: headSize)
                + Tile.largestRowCount * Panels.elementCount(inner: 1, columns: length)
                + Panels.width + Linear.scratchCount
        }

        @inline(__always)
        init(_ base: UnsafeMutablePointer<Float>, length: Int, headSize: Int) {
            keys = base
            values = keys + Panels.elementCount(inner: headSize, columns: length)
            scores = values + Panels.elementCount(inner: length, columns: headSize)
            shares = scores + Tile.largestRowCount * Panels.elementCount(inner: 1, columns: length)
            narrow = shares + Panels.width
        }
    }

    /// context ← softmax(query · keyᵀ / √D) · value.
    ///
    /// - Parameters:
    ///   - rows: the queries that are computed.
    ///   - scratch: ``scratchCount(length:headSize:)`` floats.
    ///   - context: `[L, D]`, rows `contextStride` apart; those of `rows` are written.
    ///   - probabilities: `[L, L]`, overwritten likewise; nil where nobody looks at them.
    public static func apply(
        _ head: Head, rows: Range<Int>, scratch base: UnsafeMutablePointer<Float>,
        into context: UnsafeMutablePointer<Float>, contextStride: Int,
        probabilities: UnsafeMutablePointer<Float>?
    ) {
        let scratch = Scratch(base, length: head.length, headSize: head.size)
        Panels.packTransposed(
            head.key, stride: head.stride, inner: head.size, columns: head.length,
            into: scratch.keys)
        Panels.pack(
            head.value, stride: head.stride, inner: head.length, columns: head.size,
            into: scratch.values)
        let values = Linear.Part(
            weight: scratch.values, inner: head.length, columns: head.size,
            panels: 0..<Panels.count(columns: head.size), rows: 0..<head.length)
        let width = Panels.elementCount(inner: 1, columns: head.length)
        let tiles = Tile.count(rows: rows.count)
        var row = rows.lowerBound
        for tile in 0..<tiles {
            let count = (rows.upperBound - row) / (tiles - tile)
            score(head, row, count, scratch, width)
            for i in 0..<count {
                let total = Softmax.exponentials(
                    scratch.scores + i * width, count: head.length, scale: scale(head.size))
                scratch.shares[i] = 1 / total
            }
            if let probabilities {
                for i in 0..<count {
                    let out = probabilities + (row + i) * head.length
                    for j in 0..<head.length {
                        out[j] = scratch.scores[i * width + j] * scratch.shares[i]
                    }
                }
            }
            let target = context + row * contextStride
            Linear.apply(
                scratch.scores, xStride: width, rows: count, values, initial: nil,
                initialStride: 0, activation: .identity, into: target, yStride: contextStride,
                scratch: scratch.narrow)
            for i in 0..<count {
                RowOperations.scale(
                    target + i * contextStride, by: scratch.shares[i], count: head.size)
            }
            row += count
        }
    }

    @inline(__always)
    private static func scale(_ headSize: Int) -> Float { 1 / Float(headSize).squareRoot() }

    /// The products of some queries with all keys.
    @inline(__always)
    private static func score(
        _ head: Head, _ row: Int, _ count: Int, _ scratch: Scratch, _ width: Int
    ) {
        let zeros = Linear.zeros(scratch.narrow)
        for panel in 0..<Panels.count(columns: head.length) {
            Tile.apply(
                head.query + row * head.stride, xStride: head.stride,
                scratch.keys + panel * head.size * Panels.width, inner: head.size,
                initial: zeros, initialStride: 0,
                into: scratch.scores + panel * Panels.width, yStride: width, rows: count,
                ahead: scratch.keys, aheadStride: 0)
        }
    }
}
