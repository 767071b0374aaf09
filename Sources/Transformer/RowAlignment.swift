/// Finds out how the BLAS library's results depend on where a row stands.
enum RowAlignment {
    /// Rows of the tiles of OpenBLAS's kernels, and multiples of them.
    private static let candidates = [4, 6, 8, 12, 16, 24, 32, 48]

    /// The least alignment that gives equal rows equal bits at every multiple of it, in products of
    /// several sizes; nil if none does.
    ///
    /// - Parameters:
    ///   - shapes: inner size and columns of each product.
    static func measure(shapes: [(inner: Int, columns: Int)]) -> Int? {
        candidates.first { alignment in
            shapes.allSatisfy { isReproducible(alignment, inner: $0.inner, columns: $0.columns) }
        }
    }

    private static func isReproducible(_ alignment: Int, inner: Int, columns: Int) -> Bool {
        let weight = values(inner * columns)
        let tile = values(alignment * inner)
        let expected = product(tile, weight, rows: alignment, inner, columns)
        return [2, 3, 7, 512 / alignment].allSatisfy { count in
            let x = Array(repeatElement(tile, count: count).joined())
            let y = product(x, weight, rows: count * alignment, inner, columns)
            return (0..<count).allSatisfy { place in
                let start = place * expected.count
                // Bits, not values: a difference of the sign of zero counts.
                return zip(expected, y[start..<start + expected.count]).allSatisfy {
                    $0.bitPattern == $1.bitPattern
                }
            }
        }
    }

    /// Numbers within -1 and 1 with no pattern: Knuth's multiplicative hash of their places.
    private static func values(_ count: Int) -> [Float] {
        (0..<count).map { Float(Int32(truncatingIfNeeded: $0 &* 2_654_435_761)) * 0x1p-31 }
    }

    private static func product(
        _ x: [Float], _ weight: [Float], rows: Int, _ inner: Int, _ columns: Int
    ) -> [Float] {
        .init(unsafeUninitializedCapacity: rows * columns) { y, count in
            x.withUnsafeBufferPointer { x in
                weight.withUnsafeBufferPointer { weight in
                    guard let x = x.baseAddress, let weight = weight.baseAddress,
                        let y = y.baseAddress
                    else { return }
                    BLAS.linear(x, weight, into: y, rows: rows, inner: inner, columns: columns)
                }
            }
            count = rows * columns
        }
    }
}
