/// How fast a core multiplies and adds when nothing else holds it up: what a product's rate is
/// compared with.
public enum PeakRate {
    #if LONG_VECTORS
        private typealias Longest = PanelRow
    #else
        private typealias Longest = Vector
    #endif

    /// Floating-point operations of one round of ``run(rounds:start:)``: 12 vectors, two operations
    /// an element.
    public static var operationsPerRound: Int { 12 * Longest.scalarCount * 2 }

    /// Runs multiply-adds on 12 vectors in registers, each waiting for its own last one only.
    ///
    /// - Parameter start: any number, unknown when this is compiled.
    /// - Returns: a number that depends on all of them.
    @inline(never)
    public static func run(rounds: Int, start: Float) -> Float {
        let x = Longest(repeating: 0.999)
        let w = Longest(repeating: start)
        var (a, b, c, d) = (w, w, w, w)
        var (e, f, g, h) = (w, w, w, w)
        var (i, j, k, l) = (w, w, w, w)
        for _ in 0..<rounds {
            a = multiplyAdd(w, a, x)
            b = multiplyAdd(w, b, x)
            c = multiplyAdd(w, c, x)
            d = multiplyAdd(w, d, x)
            e = multiplyAdd(w, e, x)
            f = multiplyAdd(w, f, x)
            g = multiplyAdd(w, g, x)
            h = multiplyAdd(w, h, x)
            i = multiplyAdd(w, i, x)
            j = multiplyAdd(w, j, x)
            k = multiplyAdd(w, k, x)
            l = multiplyAdd(w, l, x)
        }
        return (((a + b) + (c + d)) + ((e + f) + (g + h)) + ((i + j) + (k + l))).sum()
    }
}
