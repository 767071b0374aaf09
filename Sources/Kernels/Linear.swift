import KernelInterface

/// Products of some rows with a packed matrix: linear layers, or parts of them.
public enum Linear {
    /// What becomes of a product.
    public enum Activation: Sendable {
        case identity, gelu
    }

    public typealias Part = ProductPart

    /// The floats of scratch that a product takes.
    public static var scratchCount: Int { (2 * Tile.largestRowCount + 1) * Panels.width }

    /// The rows of a panel that are used at a time, by all tiles: 24 KB, which the first cache holds.
    private static var stepRowCount: Int { 384 }

    /// A row of zeros at the end of a product's scratch.
    @inline(__always)
    static func zeros(_ scratch: UnsafeMutablePointer<Float>) -> UnsafePointer<Float> {
        let zeros = scratch + 2 * Tile.largestRowCount * Panels.width
        store(PanelRow.zero, zeros)
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
        let tiles = Tile.count(rows: rows)
        let inner = part.rows.count
        let steps = (inner + stepRowCount - 1) / stepRowCount
        // While a step is used the next one is asked for, evenly.
        let aheadStride = (cacheLineByteCount + tiles - 1) / tiles
        for panel in part.panels {
            let weight =
                part.weight + (panel * part.inner + part.rows.lowerBound) * Panels.width
            let column = panel * Panels.width
            let start = initial.map { $0 + column } ?? zeros
            let startStride = initial == nil ? 0 : initialStride
            guard column + Panels.width <= part.columns else {
                applyNarrow(
                    x, xStride, rows, weight, inner, start, startStride, activation, y + column,
                    yStride, columns: part.columns - column, scratch)
                continue
            }
            for step in 0..<steps {
                let (first, end) = (step * inner / steps, (step + 1) * inner / steps)
                var ahead = UnsafeRawPointer(
                    step + 1 < steps
                        ? weight + end * Panels.width
                        : panel + 1 < part.panels.upperBound
                            ? weight + part.inner * Panels.width : part.next ?? weight)
                var row = 0
                for tile in 0..<tiles {
                    // Tiles of about one height: short ones do not fill the multipliers.
                    let count = (rows - row) / (tiles - tile)
                    guard count > 0 else { break }
                    let target = y + row * yStride + column
                    Tile.apply(
                        x + row * xStride + first, xStride: xStride,
                        weight + first * Panels.width, inner: end - first,
                        initial: step == 0 ? start + row * startStride : UnsafePointer(target),
                        initialStride: step == 0 ? startStride : yStride, into: target,
                        yStride: yStride, rows: count, ahead: ahead, aheadStride: aheadStride)
                    if activation == .gelu, step + 1 == steps {
                        GELU.apply(target, stride: yStride, rows: count, width: Panels.width)
                    }
                    ahead += (end - first) * aheadStride
                    row += count
                }
            }
        }
    }

    /// The same for a panel with columns that y does not have, through `scratch`.
    private static func applyNarrow(
        _ x: UnsafePointer<Float>, _ xStride: Int, _ rows: Int, _ weight: UnsafePointer<Float>,
        _ inner: Int, _ initial: UnsafePointer<Float>, _ initialStride: Int,
        _ activation: Activation, _ y: UnsafeMutablePointer<Float>, _ yStride: Int, columns: Int,
        _ scratch: UnsafeMutablePointer<Float>
    ) {
        let start = scratch + Tile.rowCount * Panels.width
        for row in stride(from: 0, to: rows, by: Tile.rowCount) {
            let count = min(Tile.rowCount, rows - row)
            start.update(repeating: 0, count: Tile.rowCount * Panels.width)
            for i in 0..<count {
                (start + i * Panels.width).update(
                    from: initial + (row + i) * initialStride, count: columns)
            }
            let x = x + row * xStride
            Tile.apply(
                x, xStride: xStride, weight, inner: inner, initial: start,
                initialStride: Panels.width, into: scratch, yStride: Panels.width, rows: count,
                ahead: x, aheadStride: 0)
            if activation == .gelu {
                GELU.apply(scratch, stride: Panels.width, rows: count, width: Panels.width)
            }
            for i in 0..<count {
                (y + (row + i) * yStride).update(from: scratch + i * Panels.width, count: columns)
            }
        }
    }
}
