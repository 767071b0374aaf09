/// Layer normalization of a sum: LN(x + residual + bias) · gain + shift.
///
/// Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450; the variance is that of the
/// population.
public enum LayerNorm {
    /// x ← LN(x + bias + residual), in place.
    ///
    /// - Parameters:
    ///   - x: `[rows, width]`, a linear layer's product.
    ///   - bias: `[width]`, the linear layer's.
    ///   - residual: `[rows, width]`.
    ///   - gain, shift: `[width]`.
    public static func apply(
        _ x: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>,
        residual: UnsafePointer<Float>, gain: UnsafePointer<Float>, shift: UnsafePointer<Float>,
        epsilon: Float, rows: Int, width: Int
    ) {
        let wholeWidth = width & ~(laneCount - 1)
        let rest = width - wholeWidth
        for row in 0..<rows {
            let x = x + row * width
            let residual = residual + row * width
            var total = Vector.zero
            for i in stride(from: 0, to: wholeWidth, by: laneCount) {
                let v = load(x + i) + load(bias + i) + load(residual + i)
                store(v, x + i)
                total += v
            }
            if rest > 0 {
                let v =
                    load(x + wholeWidth, lanes: rest) + load(bias + wholeWidth, lanes: rest)
                    + load(residual + wholeWidth, lanes: rest)
                store(v, x + wholeWidth, lanes: rest)
                total += v
            }
            normalize(
                x, mean: sum(total) / Float(width), gain: gain, shift: shift, epsilon: epsilon,
                width: width)
        }
    }

    /// x ← LN(x), in place.
    public static func apply(
        _ x: UnsafeMutablePointer<Float>, gain: UnsafePointer<Float>,
        shift: UnsafePointer<Float>, epsilon: Float, rows: Int, width: Int
    ) {
        let wholeWidth = width & ~(laneCount - 1)
        let rest = width - wholeWidth
        for row in 0..<rows {
            let x = x + row * width
            var total = Vector.zero
            for i in stride(from: 0, to: wholeWidth, by: laneCount) { total += load(x + i) }
            if rest > 0 { total += load(x + wholeWidth, lanes: rest) }
            normalize(
                x, mean: sum(total) / Float(width), gain: gain, shift: shift, epsilon: epsilon,
                width: width)
        }
    }

    @inline(__always)
    private static func normalize(
        _ x: UnsafeMutablePointer<Float>, mean: Float, gain: UnsafePointer<Float>,
        shift: UnsafePointer<Float>, epsilon: Float, width: Int
    ) {
        let wholeWidth = width & ~(laneCount - 1)
        let rest = width - wholeWidth
        let center = Vector(repeating: mean)
        var squares = Vector.zero
        for i in stride(from: 0, to: wholeWidth, by: laneCount) {
            let d = load(x + i) - center
            squares += d * d
        }
        var variance = sum(squares)
        for i in wholeWidth..<width { variance += (x[i] - mean) * (x[i] - mean) }
        let scale = Vector(repeating: 1 / (variance / Float(width) + epsilon).squareRoot())
        for i in stride(from: 0, to: wholeWidth, by: laneCount) {
            let v = (load(x + i) - center) * scale
            store(v * load(gain + i) + load(shift + i), x + i)
        }
        if rest > 0 {
            let v = (load(x + wholeWidth, lanes: rest) - center) * scale
            let g = load(gain + wholeWidth, lanes: rest)
            store(
                v * g + load(shift + wholeWidth, lanes: rest), x + wholeWidth, lanes: rest)
        }
    }
}
