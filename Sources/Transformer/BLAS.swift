import COpenBLAS

/// The BLAS calls: the one file that knows `cblas_`.
package enum BLAS {
    /// Threads are ours; a BLAS that made its own below them would fight for the same cores.
    static let useOneThread: Void = openblas_set_num_threads(1)

    /// y `[rows, columns]` ← x `[rows, inner]` · weightᵀ, weight `[columns, inner]`; all rows
    /// dense.
    @inline(__always)
    static func linear(
        _ x: UnsafePointer<Float>, _ weight: UnsafePointer<Float>,
        into y: UnsafeMutablePointer<Float>, rows: Int, inner: Int, columns: Int
    ) {
        cblas_sgemm(
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
        cblas_sgemm(
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
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(length), blasint(headSize),
            blasint(length), 1, probabilities, blasint(length), value, blasint(stride), 0, context,
            blasint(contextStride))
    }

    /// y `[rows]` ← matrix `[rows, columns]`, rows `stride` apart, · x `[columns]`, on this thread.
    package static func product(
        _ matrix: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int,
        _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>
    ) {
        _ = useOneThread
        cblas_sgemv(
            CblasRowMajor, CblasNoTrans, blasint(rows), blasint(columns), 1, matrix,
            blasint(stride), x, 1, 0, y, 1)
    }

    /// What the library says of itself: version, processor, threading.
    static var description: String {
        "\(String(cString: openblas_get_config()).trimmingSuffixSpaces) (\(String(cString: openblas_get_corename())))"
    }
}

extension String {
    fileprivate var trimmingSuffixSpaces: Substring {
        var end = endIndex
        while end > startIndex, self[index(before: end)] == " " { end = index(before: end) }
        return self[..<end]
    }
}
