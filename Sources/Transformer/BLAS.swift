import COpenBLAS

/// The BLAS calls: the one file that knows `cblas_`. The library is loaded by the first of them: it
/// takes milliseconds, and starts threads, in every process that it is a part of.
package enum BLAS {
    private static let library: openblas_functions? = {
        var functions = openblas_functions()
        guard openblas_functions_load(&functions) else { return nil }
        // Threads are ours; a BLAS that made its own below them would fight for the same cores.
        functions.openblas_set_num_threads(1)
        return functions
    }()

    /// Whether the library is installed.
    static var isInstalled: Bool { library != nil }

    /// For who knows that it is installed.
    private static var functions: openblas_functions {
        guard let library else { preconditionFailure("OpenBLAS is not installed") }
        return library
    }

    /// y `[rows, columns]` ← x `[rows, inner]` · weightᵀ, weight `[columns, inner]`; all rows
    /// dense.
    @inline(__always)
    static func linear(
        _ x: UnsafePointer<Float>, _ weight: UnsafePointer<Float>,
        into y: UnsafeMutablePointer<Float>, rows: Int, inner: Int, columns: Int
    ) {
        functions.cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, blasint(rows), blasint(columns),
            blasint(inner), 1, x, blasint(inner), weight, blasint(inner), 0, y, blasint(columns))
    }

    /// scores `[length, length]` ← scale · query · keyᵀ, both `[length, headSize]` with rows
    /// `stride` apart.
    @inline(__always)
    static func scores(
        _ query: UnsafePointer<Float>, _ key: UnsafePointer<Float>,
        into scores: UnsafeMutablePointer<Float>, length: Int, headSize: Int, stride: Int,
        scale: Float
    ) {
        functions.cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, blasint(length), blasint(length),
            blasint(headSize), scale, query, blasint(stride), key, blasint(stride), 0, scores,
            blasint(length))
    }

    /// context `[length, headSize]`, rows `contextStride` apart, ← probabilities `[length, length]`
    /// · value `[length, headSize]`, rows `stride` apart.
    @inline(__always)
    static func context(
        _ probabilities: UnsafePointer<Float>, _ value: UnsafePointer<Float>,
        into context: UnsafeMutablePointer<Float>, length: Int, headSize: Int, stride: Int,
        contextStride: Int
    ) {
        functions.cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(length), blasint(headSize),
            blasint(length), 1, probabilities, blasint(length), value, blasint(stride), 0, context,
            blasint(contextStride))
    }

    /// y `[rows]` ← matrix `[rows, columns]`, rows `stride` apart, · x `[columns]`, on this thread. Without
    /// the library it takes longer.
    package static func product(
        _ matrix: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int,
        _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>
    ) {
        guard let library else {
            return plainProduct(
                matrix, stride: stride, rows: rows, columns: columns, x, into: y)
        }
        library.cblas_sgemv(
            CblasRowMajor, CblasNoTrans, blasint(rows), blasint(columns), 1, matrix,
            blasint(stride), x, 1, 0, y, 1)
    }

    /// The same, without the library.
    package static func plainProduct(
        _ matrix: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int,
        _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>
    ) {
        let width = SIMD16<Float>.scalarCount
        let (matrix, x) = (UnsafeRawPointer(matrix), UnsafeRawPointer(x))
        for row in 0..<rows {
            let elements = matrix + row * stride * 4
            var sums = SIMD16<Float>(repeating: 0)
            var i = 0
            while i + width <= columns {
                sums +=
                    elements.loadUnaligned(fromByteOffset: i * 4, as: SIMD16<Float>.self)
                    * x.loadUnaligned(fromByteOffset: i * 4, as: SIMD16<Float>.self)
                i += width
            }
            var sum = sums.sum()
            while i < columns {
                sum +=
                    elements.load(fromByteOffset: i * 4, as: Float.self)
                    * x.load(fromByteOffset: i * 4, as: Float.self)
                i += 1
            }
            y[row] = sum
        }
    }

    /// What the library says of itself: version, processor, threading.
    static var description: String {
        guard let library, let version = library.openblas_get_config(),
            let processor = library.openblas_get_corename()
        else { return "not installed" }
        return "\(String(cString: version).trimmingSuffixSpaces) (\(String(cString: processor)))"
    }
}

extension String {
    fileprivate var trimmingSuffixSpaces: Substring {
        var end = endIndex
        while end > startIndex, self[index(before: end)] == " " { end = index(before: end) }
        return self[..<end]
    }
}
