import CProcessor

/// The micro-kernel of all matrix products: some rows of x times one panel.
///
/// With 16 registers of 8 floats (AVX2) six rows and 16 columns are 12 vectors of sums, which with two
/// of weights and one of x fill the registers; with 32 registers of 16 floats (AVX-512) twelve rows
/// are 12 vectors. Every element is one chain of multiply-adds in the order of k, whatever tile it
/// stands in and whatever registers hold it: so a row's bits do not depend on its neighbours, nor on
/// how the work is divided.
@usableFromInline
enum Tile {
    /// The rows of the largest tile.
    #if LONG_VECTORS
        @usableFromInline static var rowCount: Int { 12 }
    #else
        @usableFromInline static var rowCount: Int { 6 }
    #endif

    /// The same of all instruction sets: memory that is given to one suffices for each.
    @usableFromInline static var largestRowCount: Int { 12 }

    /// How many tiles some rows are divided into.
    @inline(__always)
    static func count(rows: Int) -> Int { max(1, (rows + rowCount - 1) / rowCount) }

    /// y ← initial + x · panel.
    ///
    /// - Parameters:
    ///   - x: `[rows, inner]`, rows `xStride` apart.
    ///   - panel: `[inner, 16]`.
    ///   - initial: `[rows, 16]`, rows `initialStride` apart; a stride of 0 makes one row of all.
    ///     It may be y.
    ///   - y: `[rows, 16]`, rows `yStride` apart.
    ///   - rows: 1 to ``rowCount``.
    ///   - ahead: memory that will be read soon, `aheadStride` bytes of it for each of `inner`.
    @inline(__always)
    static func apply(
        _ x: UnsafePointer<Float>, xStride: Int, _ panel: UnsafePointer<Float>, inner: Int,
        initial: UnsafePointer<Float>, initialStride: Int, into y: UnsafeMutablePointer<Float>,
        yStride: Int, rows: Int, ahead: UnsafeRawPointer, aheadStride: Int
    ) {
        @inline(__always)
        func run<Sums: TileSums>(_ sums: Sums.Type) {
            multiply(
                sums, x, xStride, panel, inner, initial, initialStride, y, yStride, ahead,
                aheadStride)
        }
        #if LONG_VECTORS
            switch rows {
            case 12: return run(Stacked<Six, Six>.self)
            case 11: return run(Stacked<Six, Five>.self)
            case 10: return run(Stacked<Six, Four>.self)
            case 9: return run(Stacked<Six, Three>.self)
            case 8: return run(Stacked<Four, Four>.self)
            case 7: return run(Stacked<Four, Three>.self)
            default: break
            }
        #endif
        switch rows {
        case 6: run(Six.self)
        case 5: run(Five.self)
        case 4: run(Four.self)
        case 3: run(Three.self)
        case 2: run(Two.self)
        default: run(RowSums.self)
        }
    }

    private typealias Two = Stacked<RowSums, RowSums>
    private typealias Three = Stacked<Two, RowSums>
    private typealias Four = Stacked<Two, Two>
    private typealias Five = Stacked<Three, Two>
    private typealias Six = Stacked<Three, Three>

    @inline(never)
    private static func multiply<Sums: TileSums>(
        _: Sums.Type, _ x: UnsafePointer<Float>, _ xStride: Int, _ panel: UnsafePointer<Float>,
        _ inner: Int, _ initial: UnsafePointer<Float>, _ initialStride: Int,
        _ y: UnsafeMutablePointer<Float>, _ yStride: Int, _ ahead: UnsafeRawPointer,
        _ aheadStride: Int
    ) {
        var sums = Sums(x, xStride: xStride, initial: initial, stride: initialStride)
        var weight = panel
        var ahead = ahead
        for k in 0..<inner {
            let w = load(weight, as: PanelRow.self)
            weight += Panels.width
            processor_prefetch(ahead)
            ahead += aheadStride
            sums.add(k, w)
        }
        sums.write(to: y, stride: yStride)
    }
}
