#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension Softmax {
    /// One row, in double precision.
    public static func reference(_ x: [Double]) -> [Double] {
        let peak = x.max() ?? 0
        let powers = x.map { exp($0 - peak) }
        let total = powers.reduce(0, +)
        return powers.map { $0 / total }
    }
}
