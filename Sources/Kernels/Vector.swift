/// The vector of the kernels: one AVX register, two of SSE or NEON.
typealias Vector = SIMD8<Float>

/// A row of a panel, a cache line: one AVX-512 register, two of AVX.
typealias PanelRow = SIMD16<Float>

@inline(__always)
var cacheLineByteCount: Int { 64 }

@inline(__always)
var laneCount: Int { 8 }

@inline(__always)
func load<V: SIMD<Float> & BitwiseCopyable>(
    _ pointer: UnsafePointer<Float>, as _: V.Type = Vector.self
) -> V {
    UnsafeRawPointer(pointer).loadUnaligned(as: V.self)
}

@inline(__always)
func store<V: SIMD<Float> & BitwiseCopyable>(_ vector: V, _ pointer: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: V.self)
}

/// The first `count` lanes from memory, the others 0.
@inline(__always)
func load(_ pointer: UnsafePointer<Float>, lanes count: Int) -> Vector {
    var vector = Vector.zero
    for i in 0..<count { vector[i] = pointer[i] }
    return vector
}

@inline(__always)
func store(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>, lanes count: Int) {
    for i in 0..<count { pointer[i] = vector[i] }
}

/// The sum of all lanes, in a fixed order.
@inline(__always)
func sum(_ v: Vector) -> Float {
    let four = v.lowHalf + v.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
}

/// The largest of all lanes.
@inline(__always)
func largest(_ v: Vector) -> Float {
    let four = v.lowHalf.replacing(with: v.highHalf, where: v.highHalf .> v.lowHalf)
    let two = four.lowHalf.replacing(with: four.highHalf, where: four.highHalf .> four.lowHalf)
    return two[1] > two[0] ? two[1] : two[0]
}

/// sum + x · w, rounded once where the target has a fused instruction and twice where it would be a
/// function call.
@inline(__always)
func multiplyAdd<V: SIMD<Float>>(_ sum: V, _ x: V, _ w: V) -> V {
    #if FUSED_MULTIPLY_ADD
        sum.addingProduct(x, w)
    #else
        sum + x * w
    #endif
}

@inline(__always)
func maximum(_ a: Vector, _ b: Vector) -> Vector { a.replacing(with: b, where: b .> a) }

@inline(__always)
func minimum(_ a: Vector, _ b: Vector) -> Vector { a.replacing(with: b, where: b .< a) }
