import Kernels
import Testing

/// Pooling hides no number that is none.
struct PoolingOverflowTests {
    @Test(arguments: [1, 7, 8, 9, 24], [0, 1, 2])
    func maximumOfAColumnWithNaNIsNaN(width: Int, row: Int) {
        for column in 0..<width {
            var x = (0..<3 * width).map { Float($0 % 5) }
            x[row * width + column] = .nan
            var out = [Float](repeating: 0, count: width)
            Pooling.max(x, rows: 3, width: width, into: &out)
            #expect(out.indices.filter { out[$0].isNaN } == [column])
        }
    }

    @Test(arguments: [1, 8, 11], [Float(1e20), .greatestFiniteMagnitude, .infinity, .nan])
    func vectorTooLongToNormalizeBecomesNaN(width: Int, value: Float) {
        var x = [Float](repeating: 1, count: width)
        x[width - 1] = value
        Pooling.normalize(&x, width: width)
        #expect(x.allSatisfy { $0.isNaN })
    }

    @Test func longestVectorThatNormalizesHasUnitLength() {
        var x: [Float] = [1e19, 0]
        Pooling.normalize(&x, width: 2)
        #expect(x == [1, 0])
    }
}
