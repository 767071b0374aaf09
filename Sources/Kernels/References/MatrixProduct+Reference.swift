/// y = x Wᵀ. The fast one is a BLAS's; this is what it is checked against.
public enum MatrixProduct {
    /// - Parameters:
    ///   - x: `[rows, inner]`, row-major.
    ///   - weight: `[columns, inner]`, row-major, as checkpoints store linear layers.
    /// - Returns: `[rows, columns]`.
    public static func reference(
        _ x: [Double], weight: (Int, Int) -> Double, rows: Int, inner: Int, columns: Int
    ) -> [Double] {
        precondition(x.count == rows * inner)
        var y = [Double](repeating: 0, count: rows * columns)
        for row in 0..<rows {
            for column in 0..<columns {
                var sum = 0.0
                for k in 0..<inner { sum += x[row * inner + k] * weight(column, k) }
                y[row * columns + column] = sum
            }
        }
        return y
    }
}
