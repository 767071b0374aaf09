/// The cosine of the angle between two vectors.
public enum Cosine {
    /// In double precision; 0 when a vector has no length.
    public static func similarity(
        _ a: some Collection<Float>, _ b: some Collection<Float>
    ) -> Double {
        var (product, aa, bb) = (0.0, 0.0, 0.0)
        for (x, y) in zip(a, b) {
            product += Double(x) * Double(y)
            aa += Double(x) * Double(x)
            bb += Double(y) * Double(y)
        }
        let scale = (aa * bb).squareRoot()
        return scale > 0 ? product / scale : 0
    }
}
