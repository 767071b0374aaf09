import CProcessor

/// The micro-kernel of all matrix products: some rows of x times one panel.
///
/// Six rows and 16 columns are 12 vectors of sums, which with two of weights and one of x fill the
/// 16 registers of AVX2; each step of the innermost loop is 12 multiply-adds on 8 loads. Every
/// element is one chain of multiply-adds in the order of k, whatever tile it stands in: so a row's
/// bits do not depend on its neighbours, nor on how the work is divided.
@usableFromInline
enum Tile {
    /// The rows of the largest tile.
    @usableFromInline static var rowCount: Int { 6 }

    /// y ← initial + x · panel.
    ///
    /// - Parameters:
    ///   - x: `[rows, inner]`, rows `xStride` apart.
    ///   - panel: `[inner, 16]`.
    ///   - initial: `[rows, 16]`, rows `initialStride` apart; a stride of 0 makes one row of all.
    ///     It may be y.
    ///   - y: `[rows, 16]`, rows `yStride` apart.
    ///   - rows: 1 to 6.
    ///   - ahead: memory that will be read soon, `aheadStride` bytes of it for each of `inner`.
    @inline(__always)
    static func apply(
        _ x: UnsafePointer<Float>, xStride: Int, _ panel: UnsafePointer<Float>, inner: Int,
        initial: UnsafePointer<Float>, initialStride: Int, into y: UnsafeMutablePointer<Float>,
        yStride: Int, rows: Int, ahead: UnsafeRawPointer, aheadStride: Int
    ) {
        if rows > 4 {
            six(
                x, xStride, panel, inner, initial, initialStride, y, yStride, rows, ahead,
                aheadStride)
        } else {
            four(
                x, xStride, panel, inner, initial, initialStride, y, yStride, rows, ahead,
                aheadStride)
        }
    }

    // Rows beyond the last are computed as the last once more, and stored onto it: the same bits,
    // and no branch.

    @inline(never)
    private static func six(
        _ x: UnsafePointer<Float>, _ xStride: Int, _ panel: UnsafePointer<Float>, _ inner: Int,
        _ initial: UnsafePointer<Float>, _ initialStride: Int, _ y: UnsafeMutablePointer<Float>,
        _ yStride: Int, _ rows: Int, _ ahead: UnsafeRawPointer, _ aheadStride: Int
    ) {
        let x1 = x + xStride
        let x2 = x1 + xStride
        let x3 = x2 + xStride
        let x4 = x3 + xStride
        let x5 = rows > 5 ? x4 + xStride : x4
        let i1 = initial + initialStride
        let i2 = i1 + initialStride
        let i3 = i2 + initialStride
        let i4 = i3 + initialStride
        let i5 = rows > 5 ? i4 + initialStride : i4
        var a0 = load(initial)
        var b0 = load(initial + laneCount)
        var a1 = load(i1)
        var b1 = load(i1 + laneCount)
        var a2 = load(i2)
        var b2 = load(i2 + laneCount)
        var a3 = load(i3)
        var b3 = load(i3 + laneCount)
        var a4 = load(i4)
        var b4 = load(i4 + laneCount)
        var a5 = load(i5)
        var b5 = load(i5 + laneCount)
        var w = panel
        var ahead = ahead
        for k in 0..<inner {
            let wa = load(w)
            let wb = load(w + laneCount)
            w += Panels.width
            processor_prefetch(ahead)
            ahead += aheadStride
            let v0 = Vector(repeating: x[k])
            a0 = multiplyAdd(a0, v0, wa)
            b0 = multiplyAdd(b0, v0, wb)
            let v1 = Vector(repeating: x1[k])
            a1 = multiplyAdd(a1, v1, wa)
            b1 = multiplyAdd(b1, v1, wb)
            let v2 = Vector(repeating: x2[k])
            a2 = multiplyAdd(a2, v2, wa)
            b2 = multiplyAdd(b2, v2, wb)
            let v3 = Vector(repeating: x3[k])
            a3 = multiplyAdd(a3, v3, wa)
            b3 = multiplyAdd(b3, v3, wb)
            let v4 = Vector(repeating: x4[k])
            a4 = multiplyAdd(a4, v4, wa)
            b4 = multiplyAdd(b4, v4, wb)
            let v5 = Vector(repeating: x5[k])
            a5 = multiplyAdd(a5, v5, wa)
            b5 = multiplyAdd(b5, v5, wb)
        }
        let y1 = y + yStride
        let y2 = y1 + yStride
        let y3 = y2 + yStride
        let y4 = y3 + yStride
        let y5 = rows > 5 ? y4 + yStride : y4
        store(a0, y)
        store(b0, y + laneCount)
        store(a1, y1)
        store(b1, y1 + laneCount)
        store(a2, y2)
        store(b2, y2 + laneCount)
        store(a3, y3)
        store(b3, y3 + laneCount)
        store(a4, y4)
        store(b4, y4 + laneCount)
        store(a5, y5)
        store(b5, y5 + laneCount)
    }

    @inline(never)
    private static func four(
        _ x: UnsafePointer<Float>, _ xStride: Int, _ panel: UnsafePointer<Float>, _ inner: Int,
        _ initial: UnsafePointer<Float>, _ initialStride: Int, _ y: UnsafeMutablePointer<Float>,
        _ yStride: Int, _ rows: Int, _ ahead: UnsafeRawPointer, _ aheadStride: Int
    ) {
        let (r1, r2, r3) = (min(1, rows - 1), min(2, rows - 1), min(3, rows - 1))
        let x1 = x + r1 * xStride
        let x2 = x + r2 * xStride
        let x3 = x + r3 * xStride
        let i1 = initial + r1 * initialStride
        let i2 = initial + r2 * initialStride
        let i3 = initial + r3 * initialStride
        var a0 = load(initial)
        var b0 = load(initial + laneCount)
        var a1 = load(i1)
        var b1 = load(i1 + laneCount)
        var a2 = load(i2)
        var b2 = load(i2 + laneCount)
        var a3 = load(i3)
        var b3 = load(i3 + laneCount)
        var w = panel
        var ahead = ahead
        for k in 0..<inner {
            let wa = load(w)
            let wb = load(w + laneCount)
            w += Panels.width
            processor_prefetch(ahead)
            ahead += aheadStride
            let v0 = Vector(repeating: x[k])
            a0 = multiplyAdd(a0, v0, wa)
            b0 = multiplyAdd(b0, v0, wb)
            let v1 = Vector(repeating: x1[k])
            a1 = multiplyAdd(a1, v1, wa)
            b1 = multiplyAdd(b1, v1, wb)
            let v2 = Vector(repeating: x2[k])
            a2 = multiplyAdd(a2, v2, wa)
            b2 = multiplyAdd(b2, v2, wb)
            let v3 = Vector(repeating: x3[k])
            a3 = multiplyAdd(a3, v3, wa)
            b3 = multiplyAdd(b3, v3, wb)
        }
        let y1 = y + r1 * yStride
        let y2 = y + r2 * yStride
        let y3 = y + r3 * yStride
        store(a0, y)
        store(b0, y + laneCount)
        store(a1, y1)
        store(b1, y1 + laneCount)
        store(a2, y2)
        store(b2, y2 + laneCount)
        store(a3, y3)
        store(b3, y3 + laneCount)
    }
}
