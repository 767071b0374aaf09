/// The layout of matrices that stand on the right of a product: columns in panels of 16, so that the
/// innermost loop reads them in one stream.
///
/// `[panels, inner, 16]`: panel p holds the columns 16p to 16p + 15 of a matrix `[inner, columns]`
/// (the outputs of a linear layer), row by row; columns beyond the last are 0.
///
/// Goto, van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication",
/// https://doi.org/10.1145/1356052.1356053.
public enum Panels {
    /// The columns of a panel: two vectors.
    public static var width: Int { 16 }

    /// The panels that so many columns take.
    public static func count(columns: Int) -> Int { (columns + width - 1) / width }

    /// The elements that a packed matrix takes.
    public static func elementCount(inner: Int, columns: Int) -> Int {
        count(columns: columns) * width * inner
    }

    /// Packs the transpose of a row-major matrix.
    ///
    /// - Parameters:
    ///   - matrix: `[columns, inner]`, rows `stride` apart: a linear layer as checkpoints store it,
    ///     or an attention head's keys.
    ///   - packed: `[panels, inner, 16]`, overwritten.
    public static func packTransposed(
        _ matrix: UnsafePointer<Float>, stride: Int, inner: Int, columns: Int,
        into packed: UnsafeMutablePointer<Float>
    ) {
        var column = 0
        var panel = packed
        while column < columns {
            let count = min(width, columns - column)
            let rows = matrix + column * stride
            var k = 0
            while k + laneCount <= inner {
                let (upper, lower) = (rows + k, rows + laneCount * stride + k)
                let target = panel + k * width
                transpose(upper, stride, count, into: target)
                transpose(lower, stride, count - laneCount, into: target + laneCount)
                k += laneCount
            }
            for k in k..<inner {
                for lane in 0..<width {
                    panel[k * width + lane] = lane < count ? rows[lane * stride + k] : 0
                }
            }
            column += width
            panel += width * inner
        }
    }

    /// Writes eight elements of eight rows as columns of a panel; rows from `count` on are 0.
    ///
    /// Three times all elements of even place go before those of odd place, which turns the bits of
    /// a place, three of the row and three of the column, by three.
    @inline(__always)
    private static func transpose(
        _ source: UnsafePointer<Float>, _ stride: Int, _ count: Int,
        into panel: UnsafeMutablePointer<Float>
    ) {
        @inline(__always)
        func row(_ index: Int) -> Vector { index < count ? load(source + index * stride) : .zero }
        var (a, b, c, d) = (row(0), row(1), row(2), row(3))
        var (e, f, g, h) = (row(4), row(5), row(6), row(7))
        for _ in 0..<3 {
            let ab = SIMD16(lowHalf: a, highHalf: b)
            let cd = SIMD16(lowHalf: c, highHalf: d)
            let ef = SIMD16(lowHalf: e, highHalf: f)
            let gh = SIMD16(lowHalf: g, highHalf: h)
            (a, b, c, d) = (ab.evenHalf, cd.evenHalf, ef.evenHalf, gh.evenHalf)
            (e, f, g, h) = (ab.oddHalf, cd.oddHalf, ef.oddHalf, gh.oddHalf)
        }
        store(a, panel)
        store(b, panel + width)
        store(c, panel + 2 * width)
        store(d, panel + 3 * width)
        store(e, panel + 4 * width)
        store(f, panel + 5 * width)
        store(g, panel + 6 * width)
        store(h, panel + 7 * width)
    }

    /// Packs a row-major matrix.
    ///
    /// - Parameters:
    ///   - matrix: `[inner, columns]`, rows `stride` apart: an attention head's values.
    ///   - packed: `[panels, inner, 16]`, overwritten.
    public static func pack(
        _ matrix: UnsafePointer<Float>, stride: Int, inner: Int, columns: Int,
        into packed: UnsafeMutablePointer<Float>
    ) {
        var column = 0
        var panel = packed
        while column < columns {
            let count = min(width, columns - column)
            let source = matrix + column
            if count == width {
                for k in 0..<inner {
                    store(load(source + k * stride), panel + k * width)
                    store(load(source + k * stride + laneCount), panel + k * width + laneCount)
                }
            } else {
                panel.update(repeating: 0, count: width * inner)
                for k in 0..<inner {
                    for lane in 0..<count { panel[k * width + lane] = source[k * stride + lane] }
                }
            }
            column += width
            panel += width * inner
        }
    }

    /// The inverse of ``packTransposed(_:stride:inner:columns:into:)``.
    ///
    /// - Parameter matrix: `[columns, inner]`, row-major and dense, overwritten.
    public static func unpackTransposed(
        _ packed: UnsafePointer<Float>, inner: Int, columns: Int,
        into matrix: UnsafeMutablePointer<Float>
    ) {
        for column in 0..<columns {
            let source = packed + column / width * width * inner + column % width
            let row = matrix + column * inner
            for k in 0..<inner { row[k] = source[k * width] }
        }
    }
}
