/// The vector of the kernels: one AVX register, two of SSE or NEON.
typealias Vector = SIMD8<Float>

let laneCount = Vector.scalarCount

@inline(__always)
func load(_ pointer: UnsafePointer<Float>) -> Vector {
    UnsafeRawPointer(pointer).loadUnaligned(as: Vector.self)
}

@inline(__always)
func store(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: Vector.self)
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

@inline(__always)
func maximum(_ a: Vector, _ b: Vector) -> Vector { a.replacing(with: b, where: b .> a) }

@inline(__always)
func minimum(_ a: Vector, _ b: Vector) -> Vector { a.replacing(with: b, where: b .< a) }
