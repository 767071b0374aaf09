/// e^x in each lane, for x ≤ 88; 0 below -87.
///
/// x = n ln 2 + r with |r| ≤ ln 2 / 2, and e^r by a polynomial of degree 6 (Chebyshev fit of (e^r -
/// 1 - r) / r²). The relative error is below 1.2e-7, one unit in the last place.
@inline(__always)
package func exponential(_ x: SIMD8<Float>) -> SIMD8<Float> {
    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
    let shift = Vector(repeating: 12_582_912)
    let shifted = multiplyAdd(shift, x, Vector(repeating: 1.442_695_04))
    let n = shifted - shift
    // ln 2 in two parts: the first has few enough bits that its product with n is exact.
    let part = multiplyAdd(x, n, Vector(repeating: -0.693_359_375))
    let r = multiplyAdd(part, n, Vector(repeating: 2.121_944_4e-4))
    var p = Vector(repeating: 0.001_392_957_8)
    p = multiplyAdd(Vector(repeating: 0.008_359_859), p, r)
    p = multiplyAdd(Vector(repeating: 0.041_666_504), p, r)
    p = multiplyAdd(Vector(repeating: 0.166_665_99), p, r)
    p = multiplyAdd(Vector(repeating: 0.5), p, r)
    p = multiplyAdd(r, p, r * r) + 1
    let exponent = unsafeBitCast(shifted, to: SIMD8<Int32>.self) &- 0x4B40_0000
    let scale = unsafeBitCast((exponent &+ 127) &<< 23, to: Vector.self)
    return (p * scale).replacing(with: 0, where: x .< -87)
}
