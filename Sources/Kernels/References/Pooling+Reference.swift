extension Pooling {
    /// The mean of each column of `rows` rows, in double precision.
    public static func meanReference(_ x: [Double], rows: Int, width: Int) -> [Double] {
        (0..<width).map { i in
            (0..<rows).reduce(0) { $0 + x[$1 * width + i] } / Double(rows)
        }
    }

    /// The largest value of each column.
    public static func maxReference(_ x: [Double], rows: Int, width: Int) -> [Double] {
        (0..<width).map { i in
            (0..<rows).reduce(-Double.infinity) { Swift.max($0, x[$1 * width + i]) }
        }
    }

    /// A vector scaled to unit length.
    public static func normalizeReference(_ x: [Double]) -> [Double] {
        let length = Swift.max(x.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-12)
        return x.map { $0 / length }
    }
}
