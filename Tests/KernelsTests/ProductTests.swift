import Foundation
import Kernels
import KernelsAVX2
import KernelsAVX512
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

/// The kernels that this processor can run.
enum CompiledKernels: CaseIterable {
    case portable, avx2, avx512

    static var here: [CompiledKernels] {
        ProcessorFeatures.hasAVX512
            ? allCases : ProcessorFeatures.hasAVX2 ? [.portable, .avx2] : [.portable]
    }

    /// y ← [GELU](bias + x · weight), weight `[columns, inner]`, in two parts of `inner` where `split` is
    /// within it.
    func product(
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
                        switch self {
                        case .portable:
                            Kernels.Linear.apply(
                                x, xStride: inner, rows: rows,
                                .init(
                                    weight: packed, inner: inner, columns: columns, panels: panels,
                                    rows: part), initial: initial, initialStride: initialStride,
                                activation: isGELU && isLast ? .gelu : .identity, into: y,
                                yStride: stride, scratch: &scratch)
                        case .avx2:
                            KernelsAVX2.Linear.apply(
                                x, xStride: inner, rows: rows,
                                .init(
                                    weight: packed, inner: inner, columns: columns, panels: panels,
                                    rows: part), initial: initial, initialStride: initialStride,
                                activation: isGELU && isLast ? .gelu : .identity, into: y,
                                yStride: stride, scratch: &scratch)
                        case .avx512:
                            KernelsAVX512.Linear.apply(
                                x, xStride: inner, rows: rows,
                                .init(
                                    weight: packed, inner: inner, columns: columns, panels: panels,
                                    rows: part), initial: initial, initialStride: initialStride,
                                activation: isGELU && isLast ? .gelu : .identity, into: y,
                                yStride: stride, scratch: &scratch)
                        }
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
    func attention(
        _ qkv: [Float], length: Int, size: Int, rows: Range<Int>
    ) -> (context: [Float], probabilities: [Float]) {
        var context = [Float](repeating: 0, count: length * size)
        var probabilities = [Float](repeating: 0, count: length * length)
        var scratch = [Float](
            repeating: .nan,
            count: Kernels.Attention.scratchCount(length: length, headSize: size))
        qkv.withUnsafeBufferPointer { qkv in
            let q = qkv.baseAddress!
            switch self {
            case .portable:
                Kernels.Attention.apply(
                    .init(
                        query: q, key: q + size, value: q + 2 * size, stride: 3 * size,
                        length: length, size: size), rows: rows, scratch: &scratch,
                    into: &context, contextStride: size, probabilities: &probabilities)
            case .avx2:
                KernelsAVX2.Attention.apply(
                    .init(
                        query: q, key: q + size, value: q + 2 * size, stride: 3 * size,
                        length: length, size: size), rows: rows, scratch: &scratch,
                    into: &context, contextStride: size, probabilities: &probabilities)
            case .avx512:
                KernelsAVX512.Attention.apply(
                    .init(
                        query: q, key: q + size, value: q + 2 * size, stride: 3 * size,
                        length: length, size: size), rows: rows, scratch: &scratch,
                    into: &context, contextStride: size, probabilities: &probabilities)
            }
        }
        return (context, probabilities)
    }
}

@Suite struct ProductTests {
    @Test(arguments: CompiledKernels.here, innerCounts)
    func productsEqualDoublePrecision(kernels: CompiledKernels, inner: Int) {
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
    @Test(arguments: CompiledKernels.here)
    func aRowsBitsDoNotDependOnItsPlace(kernels: CompiledKernels) {
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

    @Test(arguments: CompiledKernels.here, [1, 2, 5, 6, 7, 15, 16, 17, 50])
    func attentionEqualsDoublePrecision(kernels: CompiledKernels, length: Int) {
        for size in [1, 3, 8, 16, 20, 32] {
            let qkv = random(length * 3 * size, seed: 8).map { $0 * 3 }
            let (context, probabilities) = kernels.attention(
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
                let part = kernels.attention(qkv, length: length, size: size, rows: rows).context
                let range = rows.lowerBound * size..<rows.upperBound * size
                #expect(part[range].map(\.bitPattern) == context[range].map(\.bitPattern))
            }
        }
    }

    @Test(arguments: CompiledKernels.here)
    func attentionSurvivesExtremesAndHidesNoNaN(kernels: CompiledKernels) {
        let (length, size) = (9, 4)
        var qkv = random(length * 3 * size, seed: 9).map { $0 * 1e4 }
        #expect(
            kernels.attention(qkv, length: length, size: size, rows: 0..<length).context
                .allSatisfy { $0.isFinite })
        qkv[3 * 3 * size] = .nan
        let context = kernels.attention(qkv, length: length, size: size, rows: 0..<length).context
        #expect(context[(3 * size)..<(4 * size)].allSatisfy { $0.isNaN })
    }

    /// One library may be embedded on several machines.
    @Test func longVectorsGiveTheBitsOfShortOnes() throws {
        guard ProcessorFeatures.hasAVX512 else { return }
        let (rows, inner, columns) = (29, 400, 40)
        let x = random(rows * inner, seed: 11)
        let weight = random(columns * inner, seed: 12)
        let bias = random(columns, seed: 13)
        func bits(_ kernels: CompiledKernels, isGELU: Bool) -> [UInt32] {
            kernels.product(
                x, weight, bias: bias, rows: rows, inner: inner, columns: columns, isGELU: isGELU
            ).map(\.bitPattern)
        }
        for isGELU in [false, true] {
            #expect(bits(.avx512, isGELU: isGELU) == bits(.avx2, isGELU: isGELU))
        }
        for length in [1, 12, 13, 50] {
            let qkv = random(length * 3 * 32, seed: 14)
            let (long, short) = (CompiledKernels.avx512, CompiledKernels.avx2)
            let a = long.attention(qkv, length: length, size: 32, rows: 0..<length)
            let b = short.attention(qkv, length: length, size: 32, rows: 0..<length)
            #expect(a.context.map(\.bitPattern) == b.context.map(\.bitPattern))
            #expect(a.probabilities.map(\.bitPattern) == b.probabilities.map(\.bitPattern))
        }
        let zero = [Float](repeating: 0, count: 1000)
        let gain = random(1000, seed: 15)
        var (a, b) = (gain, gain)
        KernelsAVX512.LayerNorm.apply(
            &a, bias: zero, residual: zero, gain: gain, shift: zero, epsilon: 1e-12, rows: 1,
            width: 1000)
        KernelsAVX2.LayerNorm.apply(
            &b, bias: zero, residual: zero, gain: gain, shift: zero, epsilon: 1e-12, rows: 1,
            width: 1000)
        #expect(a.map(\.bitPattern) == b.map(\.bitPattern))
    }

    /// The same functions, rounded once or twice.
    @Test func vectorKernelsOfAllProcessorsAgree() throws {
        guard ProcessorFeatures.hasAVX2 else { return }
        let x = random(1000, seed: 10).map { $0 * 8 }
        let zero = [Float](repeating: 0, count: 1000)
        let one = [Float](repeating: 1, count: 1000)
        var (a, b) = (x, x)
        Kernels.GELU.apply(&a, bias: zero, rows: 1, width: 1000)
        KernelsAVX2.GELU.apply(&b, bias: zero, rows: 1, width: 1000)
        #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 2e-6 * max(1, abs($0)) })
        (a, b) = (x, x)
        Kernels.Softmax.apply(&a, rows: 10, width: 100)
        KernelsAVX2.Softmax.apply(&b, rows: 10, width: 100)
        #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 5e-7 })
        (a, b) = (x, x)
        Kernels.LayerNorm.apply(
            &a, bias: one, residual: x, gain: one, shift: zero, epsilon: 1e-12, rows: 1, width: 1000
        )
        KernelsAVX2.LayerNorm.apply(
            &b, bias: one, residual: x, gain: one, shift: zero, epsilon: 1e-12, rows: 1, width: 1000
        )
        #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 })
    }
}
