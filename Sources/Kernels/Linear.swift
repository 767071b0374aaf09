/// Products of some rows with a packed matrix: linear layers, or parts of them.
public enum Linear {
    /// What becomes of a product.
    public enum Activation: Sendable {
        case identity, gelu
    }

    /// The panels of a packed matrix that a product is taken with, and the rows of them.
    public struct Part {
        /// `[panels, inner, 16]`, as ``Panels`` says.
        public var weight: UnsafePointer<Float>
        /// The rows of each panel.
        public var inner: Int
        /// The columns of the matrix; the last panel may have fewer than 16.
        public var columns: Int
        /// Which panels.
        public var panels: Range<Int>
        /// Which rows of each panel; the others are another product's.
        public var rows: Range<Int>

        public init(
            weight: UnsafePointer<Float>, inner: Int, columns: Int, panels: Range<Int>,
            rows: Range<Int>
        ) {
            self.weight = weight
            self.inner = inner
            self.columns = columns
            self.panels = panels
            self.rows = rows
        }
    }

    /// The floats of scratch that a product takes.
    public static var scratchCount: Int { (2 * Tile.rowCount + 1) * Panels.width }

    /// How far ahead of its use, in floats, memory is asked for that nobody could ask for before: some
    /// hundred nanoseconds.
    private static var lead: Int { 1024 }

    /// A row of zeros at the end of a product's scratch.
    @inline(__always)
    static func zeros(_ scratch: UnsafeMutablePointer<Float>) -> UnsafePointer<Float> {
        let zeros = scratch + 2 * Tile.rowCount * Panels.width
        store(.zero, zeros)
        store(.zero, zeros + laneCount)
        return UnsafePointer(zeros)
    }

    /// y ← activation(initial + x · part).
    ///
    /// - Parameters:
    ///   - x: `[rows, part.rows]`, rows `xStride` apart.
    ///   - initial: `[rows, columns]`, rows `initialStride` apart: with a stride of 0 a bias
    ///     `[columns]`, with y itself what an earlier part of the sum left there. Its columns are
    ///     those of the whole matrix. Nil for zeros.
    ///   - y: `[rows, columns]`, rows `yStride` apart; the columns of `part.panels` are written. It
    ///     must not overlap x.
    ///   - scratch: ``scratchCount`` floats.
    public static func apply(
        _ x: UnsafePointer<Float>, xStride: Int, rows: Int, _ part: Part,
        initial: UnsafePointer<Float>?, initialStride: Int, activation: Activation,
        into y: UnsafeMutablePointer<Float>, yStride: Int, scratch: UnsafeMutablePointer<Float>
    ) {
        let zeros = zeros(scratch)
        let tiles = max(1, (rows + Tile.rowCount - 1) / Tile.rowCount)
        let stride = (cacheLineByteCount + tiles - 1) / tiles
        for panel in part.panels {
            let weight =
                part.weight + (panel * part.inner + part.rows.lowerBound) * Panels.width
            let column = panel * Panels.width
            let isWhole = column + Panels.width <= part.columns
            // The next panel is asked for while this one is used, evenly; the first just before it is
            // used.
            let isCold = panel == part.panels.lowerBound || tiles == 1
            var ahead = UnsafeRawPointer(weight + (isCold ? Self.lead : part.inner * Panels.width))
            var aheadStride = isCold ? cacheLineByteCount : stride
            var row = 0
            while row < rows {
                let count = min(Tile.rowCount, rows - row)
                let target = y + row * yStride + column
                let start = initial.map { $0 + row * initialStride + column } ?? zeros
                let startStride = initial == nil ? 0 : initialStride
                if isWhole {
                    Tile.apply(
                        x + row * xStride, xStride: xStride, weight, inner: part.rows.count,
                        initial: start, initialStride: startStride, into: target,
                        yStride: yStride, rows: count, ahead: ahead, aheadStride: aheadStride)
                    if activation == .gelu {
                        GELU.apply(target, stride: yStride, rows: count, width: Panels.width)
                    }
                } else {
                    applyNarrow(
                        x + row * xStride, xStride, weight, part.rows.count, start,
                        startStride, activation, target, yStride, rows: count,
                        columns: part.columns - column, scratch)
                }
                row += Tile.rowCount
                if isCold, row == Tile.rowCount {
                    ahead = UnsafeRawPointer(weight + part.inner * Panels.width)
                    aheadStride = stride
                } else {
                    ahead += part.rows.count * aheadStride
                }
            }
        }
    }

    /// The same for a panel with columns that y does not have, through `scratch`.
    private static func applyNarrow(
        _ x: UnsafePointer<Float>, _ xStride: Int, _ weight: UnsafePointer<Float>, _ inner: Int,
        _ initial: UnsafePointer<Float>, _ initialStride: Int, _ activation: Activation,
        _ y: UnsafeMutablePointer<Float>, _ yStride: Int, rows: Int, columns: Int,
        _ scratch: UnsafeMutablePointer<Float>
    ) {
        let start = scratch + Tile.rowCount * Panels.width
        start.update(repeating: 0, count: Tile.rowCount * Panels.width)
        for row in 0..<rows {
            let source = initial + row * initialStride
            (start + row * Panels.width).update(from: source, count: columns)
        }
        Tile.apply(
            x, xStride: xStride, weight, inner: inner, initial: start,
            initialStride: Panels.width, into: scratch, yStride: Panels.width, rows: rows,
            ahead: x, aheadStride: 0)
        if activation == .gelu {
            GELU.apply(scratch, stride: Panels.width, rows: rows, width: Panels.width)
        }
        for row in 0..<rows {
            for i in 0..<columns { y[row * yStride + i] = scratch[row * Panels.width + i] }
        }
    }
}
