import CProcessor

/// The sums of a tile, in registers: composed of rows, since an array would stand in memory.
protocol TileSums {
    /// How many rows.
    static var rowCount: Int { get }

    /// - Parameters:
    ///   - x: rows `xStride` apart.
    ///   - initial: the sums to start from: rows of 16, `stride` apart.
    init(
        _ x: UnsafePointer<Float>, xStride: Int, initial: UnsafePointer<Float>, stride: Int)

    /// Adds the products of column k of x with a panel's row.
    mutating func add(_ k: Int, _ w: PanelRow)

    /// Writes the rows of 16, `stride` apart.
    func write(to y: UnsafeMutablePointer<Float>, stride: Int)
}

/// One row.
struct RowSums: TileSums {
    // A pointer a row: the compiler would otherwise compute where each row is in every step.
    private let x: UnsafePointer<Float>
    private var sums: PanelRow

    static var rowCount: Int { 1 }

    @inline(__always)
    init(
        _ x: UnsafePointer<Float>, xStride: Int, initial: UnsafePointer<Float>, stride: Int
    ) {
        self.x = processor_keep(x)
        sums = load(initial, as: PanelRow.self)
    }

    @inline(__always)
    mutating func add(_ k: Int, _ w: PanelRow) {
        sums = multiplyAdd(sums, PanelRow(repeating: x[k]), w)
    }

    @inline(__always)
    func write(to y: UnsafeMutablePointer<Float>, stride: Int) { store(sums, y) }
}

/// Rows on top of other rows.
struct Stacked<Upper: TileSums, Lower: TileSums>: TileSums {
    private var upper: Upper
    private var lower: Lower

    static var rowCount: Int { Upper.rowCount + Lower.rowCount }

    @inline(__always)
    init(
        _ x: UnsafePointer<Float>, xStride: Int, initial: UnsafePointer<Float>, stride: Int
    ) {
        upper = Upper(x, xStride: xStride, initial: initial, stride: stride)
        lower = Lower(
            x + Upper.rowCount * xStride, xStride: xStride,
            initial: initial + Upper.rowCount * stride, stride: stride)
    }

    @inline(__always)
    mutating func add(_ k: Int, _ w: PanelRow) {
        upper.add(k, w)
        lower.add(k, w)
    }

    @inline(__always)
    func write(to y: UnsafeMutablePointer<Float>, stride: Int) {
        upper.write(to: y, stride: stride)
        lower.write(to: y + Upper.rowCount * stride, stride: stride)
    }
}
