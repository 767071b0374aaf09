import Foundation

/// Cosine similarity of a query to vectors as they stand in the database.
enum CosineScan {
    /// - Parameters:
    ///   - vector: `[D]`.
    static func norm(_ vector: [Float]) -> Float {
        vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }

    /// - Parameters:
    ///   - query: `[D]`.
    ///   - norm: of the query.
    ///   - stored: `[D]` little-endian float32.
    /// - Returns: nil when the bytes are no vector of that length, finite and not zero.
    static func similarity(_ query: [Float], norm: Float, stored: Data) -> Float? {
        guard stored.count == query.count * 4 else { return nil }
        var (product, square) = (SIMD8<Float>(), SIMD8<Float>())
        var (productTail, squareTail) = (Float(0), Float(0))
        stored.withUnsafeBytes { bytes in
            query.withUnsafeBytes { query in
                let whole = query.count / 32 * 32
                for offset in stride(from: 0, to: whole, by: 32) {
                    let q = query.loadUnaligned(fromByteOffset: offset, as: SIMD8<Float>.self)
                    let v = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<Float>.self)
                    product += q * v
                    square += v * v
                }
                for offset in stride(from: whole, to: query.count, by: 4) {
                    let q = query.loadUnaligned(fromByteOffset: offset, as: Float.self)
                    let v = bytes.loadUnaligned(fromByteOffset: offset, as: Float.self)
                    productTail += q * v
                    squareTail += v * v
                }
            }
        }
        let length = (square.sum() + squareTail).squareRoot() * norm
        let score = (product.sum() + productTail) / length
        return score.isFinite ? score : nil
    }
}
