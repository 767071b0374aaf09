/// The Gaussian error linear unit in its exact form, x Φ(x) = x/2 (1 + erf(x/√2)).
///
/// Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415.
public enum GELU {
    /// x ← GELU(x + bias), in place. erf is a rational function of degree 11 over 10 whose absolute
    /// error is below 5e-7.
    ///
    /// - Parameters:
    ///   - x: `[rows, width]`.
    ///   - bias: `[width]`.
    public static func apply(
        _ x: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>, rows: Int, width: Int
    ) {
        let wholeWidth = width & ~(laneCount - 1)
        for row in 0..<rows {
            let x = x + row * width
            for i in stride(from: 0, to: wholeWidth, by: laneCount) {
                store(gelu(load(x + i) + load(bias + i)), x + i)
            }
            let rest = width - wholeWidth
            if rest > 0 {
                let v = load(x + wholeWidth, lanes: rest) + load(bias + wholeWidth, lanes: rest)
                store(gelu(v), x + wholeWidth, lanes: rest)
            }
        }
    }

    /// x ← GELU(x), in place.
    ///
    /// - Parameters:
    ///   - x: `[rows, width]`, rows `stride` apart.
    ///   - width: whole vectors.
    @inline(__always)
    static func apply(_ x: UnsafeMutablePointer<Float>, stride: Int, rows: Int, width: Int) {
        for row in 0..<rows {
            let x = x + row * stride
            var i = 0
            while i < width {
                store(gelu(load(x + i)), x + i)
                i += laneCount
            }
        }
    }

    @inline(__always)
    private static func gelu(_ x: Vector) -> Vector {
        let half = x * 0.5
        return multiplyAdd(half, half, errorFunction(x))
    }

    /// erf(x/√2): a minimax fit of x P(x²) / Q(x²) on |x| ≤ 5.6, where it reaches 1 in float32.
    @inline(__always)
    private static func errorFunction(_ x: Vector) -> Vector {
        let limit = Vector(repeating: 5.6)
        let c = maximum(minimum(x, limit), -limit)
        let u = c * c
        var p = Vector(repeating: 4.429_067e-08)
        p = multiplyAdd(Vector(repeating: 1.271_306_9e-05), p, u)
        p = multiplyAdd(Vector(repeating: 3.477_013_7e-04), p, u)
        p = multiplyAdd(Vector(repeating: 9.414_518e-03), p, u)
        p = multiplyAdd(Vector(repeating: 6.875_22e-02), p, u)
        p = multiplyAdd(Vector(repeating: 7.978_844_6e-01), p, u)
        var q = Vector(repeating: 1.180_212_8e-06)
        q = multiplyAdd(Vector(repeating: 7.510_192_5e-05), q, u)
        q = multiplyAdd(Vector(repeating: 1.912_977_9e-03), q, u)
        q = multiplyAdd(Vector(repeating: 2.894_008_3e-02), q, u)
        q = multiplyAdd(Vector(repeating: 2.528_338_1e-01), q, u)
        q = multiplyAdd(Vector(repeating: 1), q, u)
        let y = c * p / q
        return maximum(minimum(y, Vector(repeating: 1)), Vector(repeating: -1))
    }
}
