/// Makes one vector of a text's token vectors.
public enum Pooling {
    /// out ← the mean of the rows of `x` `[rows, width]`; `rows` > 0.
    public static func mean(
        _ x: UnsafePointer<Float>, rows: Int, width: Int, into out: UnsafeMutablePointer<Float>
    ) {
        fold(x, rows: rows, width: width, into: out) { $0 + $1 }
        let scale = 1 / Float(rows)
        for i in 0..<width { out[i] *= scale }
    }

    /// out ← the largest value of each column of `x` `[rows, width]`, NaN where a column has one;
    /// `rows` > 0.
    public static func max(
        _ x: UnsafePointer<Float>, rows: Int, width: Int, into out: UnsafeMutablePointer<Float>
    ) {
        fold(x, rows: rows, width: width, into: out) { a, b in
            // A NaN in `b` is not above `a`, but must not vanish either.
            a.replacing(with: b, where: (b .> a) .| (b .!= b))
        }
    }

    @inline(__always)
    private static func fold(
        _ x: UnsafePointer<Float>, rows: Int, width: Int,
        into out: UnsafeMutablePointer<Float>, _ combine: (Vector, Vector) -> Vector
    ) {
        precondition(rows > 0, "a text has at least its special tokens")
        for start in stride(from: 0, to: width, by: laneCount) {
            let lanes = min(laneCount, width - start)
            var value = load(x + start, lanes: lanes)
            for row in 1..<rows {
                let p = x + row * width + start
                value = combine(value, lanes == laneCount ? load(p) : load(p, lanes: lanes))
            }
            store(value, out + start, lanes: lanes)
        }
    }

    /// Scales `x` `[width]` to unit length; a vector shorter than 1e-12 is divided by that, as
    /// PyTorch's `normalize` does. One whose length is beyond float32 becomes NaN, not 0.
    public static func normalize(_ x: UnsafeMutablePointer<Float>, width: Int) {
        var squares = Vector.zero
        let wholeWidth = width & ~(laneCount - 1)
        for i in stride(from: 0, to: wholeWidth, by: laneCount) {
            squares += load(x + i) * load(x + i)
        }
        var total = sum(squares)
        for i in wholeWidth..<width { total += x[i] * x[i] }
        let scale = total < .infinity ? 1 / Swift.max(total.squareRoot(), 1e-12) : .nan
        for i in 0..<width { x[i] *= scale }
    }
}
