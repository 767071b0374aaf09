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

    /// x ← e^((x - peak) · scale) over the first `count` of a row; what is left of its last panel
    /// becomes 0.
    ///
    /// - Parameters:
    ///   - x: whole panels.
    ///   - count: the row's elements, more than 0.
    /// - Returns: the sum of all.
    @inline(__always)
    static func exponentials(
        _ x: UnsafeMutablePointer<Float>, count: Int, scale: Float
    ) -> Float {
        let width = Panels.elementCount(inner: 1, columns: count)
        for i in count..<width { x[i] = -.infinity }
        var peaks = load(x)
        var i = laneCount
        while i < width {
            peaks = maximum(peaks, load(x + i))
            i += laneCount
        }
        let shift = Vector(repeating: largest(peaks))
        let scale = Vector(repeating: scale)
        var sums = Vector.zero
        i = 0
        while i < width {
            let e = exponential((load(x + i) - shift) * scale)
            store(e, x + i)
            sums += e
            i += laneCount
        }
        return sum(sums)
    }
}
