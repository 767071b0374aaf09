extension LayerNorm {
    /// One row, in double precision.
    public static func reference(
        _ x: [Double], gain: [Double], shift: [Double], epsilon: Double
    ) -> [Double] {
        let mean = x.reduce(0, +) / Double(x.count)
        let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
        let scale = 1 / (variance + epsilon).squareRoot()
        return x.indices.map { (x[$0] - mean) * scale * gain[$0] + shift[$0] }
    }
}
