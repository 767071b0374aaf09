import Foundation
import KernelInterface
import Kernels
import TestSupport
import Testing
import Transformer

/// Sizes around a tile's 6 or 12 rows, a panel's 16 columns, a vector's 8 lanes, and the 384 rows of a
/// panel that are used at a time.
private let rowCounts = Array(0...13) + [24, 25]
private let columnCounts = [1, 8, 15, 16, 17, 40]
private let innerCounts = [1, 7, 33, 385]

private func random(_ count: Int, seed: UInt64) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
}

extension KernelSet: CustomTestStringConvertible {
    public var testDescription: String { name }
}

extension KernelSet {
    /// y ← [GELU](bias + x · weight), weight `[columns, inner]`, in two parts of `inner` where `split` is
    /// within it.
    fileprivate func product(
        _ x: [Float], _ weight: [Float], bias: [Float], rows: Int, inner: Int, columns: Int,
        isGELU: Bool = false, split: Int = 0
    ) -> [Float] {
        var packed = [Float](
            repeating: .nan, count: Kernels.Panels.elementCount(inner: inner, columns: columns))
        Kernels.Panels.packTransposed(
            weight, stride: inner, inner: inner, columns: columns, into: &packed)
        // A column before and after each row must stay as it is.
        let stride = columns + 2
        var y = [Float](repeating: 12345, count: rows * stride + 1)
        var scratch = [Float](repeating: .nan, count: Kernels.Linear.scratchCount)
        let panels = 0..<Kernels.Panels.count(columns: columns)
        y.withUnsafeMutableBufferPointer { buffer in
            let y = buffer.baseAddress! + 1
            for part in [0..<split, split..<inner] where !part.isEmpty {
                x.withUnsafeBufferPointer { x in
                    bias.withUnsafeBufferPointer { bias in
                        let x = x.baseAddress! + part.lowerBound
                        let isFirst = part.lowerBound == 0
                        let isLast = part.upperBound == inner
                        let initial = isFirst ? bias.baseAddress! : UnsafePointer(y)
                        let initialStride = isFirst ? 0 : stride
                        linear(
                            x, inner, rows,
                            ProductPart(
                                weight: packed, inner: inner, columns: columns, panels: panels,
                                rows: part), initial, initialStride, isGELU && isLast, y, stride,
                            &scratch)
                    }
                }
            }
        }
        #expect(y[0] == 12345)
        for row in 0..<rows {
            #expect(y[1 + row * stride + columns] == 12345)
            #expect(y[1 + row * stride + columns + 1] == 12345 || row + 1 < rows)
        }
        return (0..<rows).flatMap { Array(y[(1 + $0 * stride)..<(1 + $0 * stride + columns)]) }
    }

    /// The context `[length, size]` of one head, and the probabilities.
    fileprivate func attend(
        _ qkv: [Float], length: Int, size: Int, rows: Range<Int>
    ) -> (context: [Float], probabilities: [Float]) {
        var context = [Float](repeating: 0, count: length * size)
        var probabilities = [Float](repeating: 0, count: length * length)
        var scratch = [Float](
            repeating: .nan,
            count: Kernels.Attention.scratchCount(length: length, headSize: size))
        qkv.withUnsafeBufferPointer { qkv in
            let q = qkv.baseAddress!
            attention(
                AttentionHead(
                    query: q, key: q + size, value: q + 2 * size, stride: 3 * size,
                    length: length, size: size), rows, &scratch, &context, size, &probabilities)
        }
        return (context, probabilities)
    }
}

extension KernelSet {
    /// LN(2x + 1) · gain
    fileprivate func normalized(_ x: [Float], gain: [Float]) -> [Float] {
        var y = x
        let one = [Float](repeating: 1, count: x.count)
        let zero = [Float](repeating: 0, count: x.count)
        residualNorm(&y, one, x, gain, zero, 1e-12, 1, x.count)
        return y
    }
}

@Suite struct ProductTests {
    @Test(arguments: KernelSet.here, innerCounts)
    func productsEqualDoublePrecision(kernels: KernelSet, inner: Int) {
        for rows in rowCounts {
            for columns in columnCounts {
                let x = random(max(1, rows * inner), seed: 1)
                let weight = random(columns * inner, seed: 2)
                let bias = random(columns, seed: 3)
                let expected = MatrixProduct.reference(
                    x[..<(rows * inner)].map { Double($0) },
                    weight: { Double(weight[$0 * inner + $1]) }, rows: rows, inner: inner,
                    columns: columns)
                for isGELU in [false, true] {
                    let actual = kernels.product(
                        x, weight, bias: bias, rows: rows, inner: inner, columns: columns,
                        isGELU: isGELU)
                    #expect(actual.count == expected.count)
                    for (i, value) in actual.enumerated() {
                        let sum = expected[i] + Double(bias[i % columns])
                        let truth = isGELU ? Kernels.GELU.reference(sum) : sum
                        let tolerance = 2e-6 * Double(inner).squareRoot() + 2e-6
                        #expect(abs(Double(value) - truth) < tolerance)
                    }
                }
            }
        }
    }

    /// A row alone, at any place of a tile, with the sum cut anywhere: always one chain in the order
    /// of k.
    @Test(arguments: KernelSet.here)
    func aRowsBitsDoNotDependOnItsPlace(kernels: KernelSet) {
        let (inner, columns) = (37, 24)
        let weight = random(columns * inner, seed: 4)
        let bias = random(columns, seed: 5)
        let x = random(25 * inner, seed: 6)
        let together = kernels.product(
            x, weight, bias: bias, rows: 25, inner: inner, columns: columns)
        for row in 0..<25 {
            for count in 1...(25 - row) {
                let part = Array(x[(row * inner)..<((row + count) * inner)])
                let some = kernels.product(
                    part, weight, bias: bias, rows: count, inner: inner, columns: columns)
                #expect(
                    some.map(\.bitPattern)
                        == together[(row * columns)..<((row + count) * columns)].map(\.bitPattern))
            }
        }
        for split in [1, 8, 20, 36] {
            let cut = kernels.product(
                x, weight, bias: bias, rows: 25, inner: inner, columns: columns, split: split)
            #expect(cut.map(\.bitPattern) == together.map(\.bitPattern))
        }
    }

    @Test(arguments: [(1, 1), (5, 16), (8, 15), (9, 17), (16, 40), (33, 48)])
    func packingIsUndone(inner: Int, columns: Int) {
        let matrix = random(inner * columns, seed: 7)
        var packed = [Float](
            repeating: .nan, count: Kernels.Panels.elementCount(inner: inner, columns: columns))
        Kernels.Panels.packTransposed(
            matrix, stride: inner, inner: inner, columns: columns, into: &packed)
        // What stands beyond the columns is 0, as a model file's bytes must not depend on chance.
        #expect(packed.count { $0 == 0 } >= packed.count - inner * columns)
        #expect(packed.allSatisfy { $0.isFinite })
        var back = [Float](repeating: .nan, count: matrix.count)
        Kernels.Panels.unpackTransposed(packed, inner: inner, columns: columns, into: &back)
        #expect(back == matrix)

        var direct = [Float](repeating: .nan, count: packed.count)
        let transposed = (0..<inner * columns).map { matrix[$0 % columns * inner + $0 / columns] }
        Kernels.Panels.pack(
            transposed, stride: columns, inner: inner, columns: columns, into: &direct)
        #expect(direct == packed)
    }

    @Test(arguments: KernelSet.here, [1, 2, 5, 6, 7, 15, 16, 17, 50])
    func attentionEqualsDoublePrecision(kernels: KernelSet, length: Int) {
        for size in [1, 3, 8, 16, 20, 32] {
            let qkv = random(length * 3 * size, seed: 8).map { $0 * 3 }
            let (context, probabilities) = kernels.attend(
                qkv, length: length, size: size, rows: 0..<length)
            func element(_ row: Int, _ part: Int, _ d: Int) -> Double {
                Double(qkv[row * 3 * size + part * size + d])
            }
            for i in 0..<length {
                let scores = (0..<length).map { j in
                    (0..<size).reduce(0.0) { $0 + element(i, 0, $1) * element(j, 1, $1) }
                        / Double(size).squareRoot()
                }
                let expected = Kernels.Softmax.reference(scores)
                for j in 0..<length {
                    #expect(abs(Double(probabilities[i * length + j]) - expected[j]) < 3e-6)
                }
                for d in 0..<size {
                    let sum = (0..<length).reduce(0.0) { $0 + expected[$1] * element($1, 2, d) }
                    #expect(abs(Double(context[i * size + d]) - sum) < 1e-5)
                }
            }
            // Parts of the queries have the same bits.
            for rows in [0..<length / 2, length / 2..<length] {
                let part = kernels.attend(qkv, length: length, size: size, rows: rows).context
                let range = rows.lowerBound * size..<rows.upperBound * size
                #expect(part[range].map(\.bitPattern) == context[range].map(\.bitPattern))
            }
        }
    }

    @Test(arguments: KernelSet.here)
    func attentionSurvivesExtremesAndHidesNoNaN(kernels: KernelSet) {
        let (length, size) = (9, 4)
        var qkv = random(length * 3 * size, seed: 9).map { $0 * 1e4 }
        #expect(
            kernels.attend(qkv, length: length, size: size, rows: 0..<length).context
                .allSatisfy { $0.isFinite })
        qkv[3 * 3 * size] = .nan
        let context = kernels.attend(qkv, length: length, size: size, rows: 0..<length).context
        #expect(context[(3 * size)..<(4 * size)].allSatisfy { $0.isNaN })
    }

    /// One library may be embedded on several machines: sets with fused instructions give the same bits.
    @Test func longVectorsGiveTheBitsOfShortOnes() throws {
        let (rows, inner, columns) = (29, 400, 40)
        let x = random(rows * inner, seed: 11)
        let weight = random(columns * inner, seed: 12)
        let bias = random(columns, seed: 13)
        let qkv = random(50 * 3 * 32, seed: 14)
        let gain = random(1000, seed: 15)
        func bits(_ kernels: KernelSet) -> [[UInt32]] {
            var results = [false, true].map {
                kernels.product(
                    x, weight, bias: bias, rows: rows, inner: inner, columns: columns, isGELU: $0)
            }
            for length in [1, 12, 13, 50] {
                let head = kernels.attend(qkv, length: length, size: 32, rows: 0..<length)
                results += [head.context, head.probabilities]
            }
            results.append(kernels.normalized(gain, gain: gain))
            return results.map { $0.map(\.bitPattern) }
        }
        let fused = KernelSet.here.dropLast().map(bits)
        #expect(fused.allSatisfy { $0 == fused[0] })
    }

    /// The same functions, rounded once or twice.
    @Test func vectorKernelsOfAllProcessorsAgree() throws {
        let x = random(1000, seed: 10).map { $0 * 8 }
        let zero = [Float](repeating: 0, count: 1000)
        func results(_ kernels: KernelSet) -> (gelu: [Float], softmax: [Float], norm: [Float]) {
            var (gelu, softmax) = (x, x)
            kernels.gelu(&gelu, zero, 1, 1000)
            kernels.softmax(&softmax, 10, 100)
            return (gelu, softmax, kernels.normalized(x, gain: zero.map { $0 + 1 }))
        }
        let portable = results(Kernels.CompiledKernels.all)
        for kernels in KernelSet.here {
            let other = results(kernels)
            #expect(
                zip(portable.gelu, other.gelu).allSatisfy {
                    abs($0 - $1) <= 2e-6 * max(1, abs($0))
                })
            #expect(zip(portable.softmax, other.softmax).allSatisfy { abs($0 - $1) <= 5e-7 })
            #expect(zip(portable.norm, other.norm).allSatisfy { abs($0 - $1) <= 1e-5 })
        }
    }
}
