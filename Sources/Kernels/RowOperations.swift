/// Sums over whole rows: biases and embeddings.
public enum RowOperations {
    /// Adds `bias` `[width]` to each row of `x` `[rows, width]`.
    public static func add(
        bias: UnsafePointer<Float>, to x: UnsafeMutablePointer<Float>, rows: Int, width: Int
    ) {
        let wholeWidth = width & ~(laneCount - 1)
        for row in 0..<rows {
            let x = x + row * width
            for i in stride(from: 0, to: wholeWidth, by: laneCount) {
                store(load(x + i) + load(bias + i), x + i)
            }
            for i in wholeWidth..<width { x[i] += bias[i] }
        }
    }

    /// x ← x · factor.
    @inline(__always)
    static func scale(_ x: UnsafeMutablePointer<Float>, by factor: Float, count: Int) {
        let factors = Vector(repeating: factor)
        var i = 0
        while i + laneCount <= count {
            store(load(x + i) * factors, x + i)
            i += laneCount
        }
        while i < count {
            x[i] *= factor
            i += 1
        }
    }

    /// out ← a + b + c, rows of `width`.
    public static func sum(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafePointer<Float>,
        into out: UnsafeMutablePointer<Float>, width: Int
    ) {
        let wholeWidth = width & ~(laneCount - 1)
        for i in stride(from: 0, to: wholeWidth, by: laneCount) {
            store(load(a + i) + load(b + i) + load(c + i), out + i)
        }
        for i in wholeWidth..<width { out[i] = a[i] + b[i] + c[i] }
    }
}
