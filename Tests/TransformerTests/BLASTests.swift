import Testing
import Transformer

struct BLASTests {
    /// A search without the library finds the same.
    @Test(arguments: [(0, 384), (1, 1), (3, 15), (7, 16), (5, 40), (64, 384)])
    func productIsTheSameWithoutTheLibrary(rows: Int, columns: Int) {
        let stride = columns + 3
        let matrix = (0..<max(1, rows * stride)).map { Float($0 % 97) / 97 - 0.5 }
        let x = (0..<columns).map { Float($0 % 89) / 89 - 0.5 }
        var (y, plain) = (
            [Float](repeating: -7, count: rows + 1), [Float](repeating: -7, count: rows + 1)
        )
        BLAS.product(matrix, stride: stride, rows: rows, columns: columns, x, into: &y)
        BLAS.plainProduct(matrix, stride: stride, rows: rows, columns: columns, x, into: &plain)
        for (a, b) in zip(y, plain) { #expect(abs(a - b) <= 1e-4) }
        #expect(plain.last == -7)
        for row in 0..<rows {
            let exact = (0..<columns).reduce(0.0) {
                $0 + Double(matrix[row * stride + $1]) * Double(x[$1])
            }
            #expect(abs(Double(plain[row]) - exact) <= 1e-5)
        }
    }
}
