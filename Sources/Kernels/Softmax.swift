#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Softmax of each row, shifted by the row's maximum so that nothing overflows.
public enum Softmax {
    /// In place over `[rows, width]`.
    public static func apply(_ x: UnsafeMutablePointer<Float>, rows: Int, width: Int) {
        precondition(width > 0, "softmax of nothing")
        let wholeWidth = width & ~(laneCount - 1)
        for row in 0..<rows {
            let x = x + row * width
            var peaks = Vector(repeating: -Float.greatestFiniteMagnitude)
            for i in stride(from: 0, to: wholeWidth, by: laneCount) {
                peaks = maximum(peaks, load(x + i))
            }
            var peak = -Float.greatestFiniteMagnitude
            for lane in 0..<laneCount where peaks[lane] > peak { peak = peaks[lane] }
            for i in wholeWidth..<width where x[i] > peak { peak = x[i] }

            let shift = Vector(repeating: peak)
            var sums = Vector.zero
            for i in stride(from: 0, to: wholeWidth, by: laneCount) {
                let e = exponential(load(x + i) - shift)
                store(e, x + i)
                sums += e
            }
            var total = sum(sums)
            let rest = width - wholeWidth
            if rest > 0 {
                let e = exponential(load(x + wholeWidth, lanes: rest) - shift)
                store(e, x + wholeWidth, lanes: rest)
                for i in wholeWidth..<width { total += x[i] }
            }
            let scale = Vector(repeating: 1 / total)
            for i in stride(from: 0, to: wholeWidth, by: laneCount) {
                store(load(x + i) * scale, x + i)
            }
            for i in wholeWidth..<width { x[i] *= scale[0] }
        }
    }

    /// One row, in double precision.
    public static func reference(_ x: [Double]) -> [Double] {
        let peak = x.max() ?? 0
        let powers = x.map { exp($0 - peak) }
        let total = powers.reduce(0, +)
        return powers.map { $0 / total }
    }
}
