import Foundation
import Kernels
import TestSupport
import Testing

/// Widths around the vector's 8 lanes, and the model's own.
private let widths = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100, 384]
private let rowCounts = [0, 1, 2, 5]

private func random(_ count: Int, seed: UInt64, scale: Float = 1) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in Float.random(in: -scale...scale, using: &generator) }
}

/// A buffer at an odd offset, with guards on both sides.
private struct Guarded {
    private static let guardValue: Float = 12345
    private var storage: [Float]
    let count: Int

    init(_ values: [Float]) {
        storage = [Self.guardValue] + values + [Self.guardValue]
        count = values.count
    }

    mutating func run(_ body: (UnsafeMutablePointer<Float>) -> Void) -> [Float] {
        storage.withUnsafeMutableBufferPointer { body($0.baseAddress! + 1) }
        #expect(storage.first == Self.guardValue)
        #expect(storage.last == Self.guardValue)
        return Array(storage[1..<count + 1])
    }
}

private func largestDifference(_ a: [Float], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
}

@Suite struct KernelTests {
    @Test(arguments: widths, rowCounts)
    func geluEqualsTheCLibrarysErf(width: Int, rows: Int) {
        let x = random(rows * width, seed: 1, scale: 7)
        let bias = random(width, seed: 2)
        var buffer = Guarded(x)
        let actual = buffer.run { GELU.apply($0, bias: bias, rows: rows, width: width) }
        let expected = x.indices.map { GELU.reference(Double(x[$0] + bias[$0 % width])) }
        #expect(largestDifference(actual, expected) < 2e-6)
    }

    @Test func geluIsWithinItsErrorOnTheWholeLine() {
        let x = (0...40_000).map { Float($0) * 1e-3 - 20 }
        var buffer = Guarded(x)
        let zero = [Float](repeating: 0, count: x.count)
        let actual = buffer.run { GELU.apply($0, bias: zero, rows: 1, width: x.count) }
        // Half an ulp of x beside the 5e-7 of erf, which is scaled by x / 2.
        for (x, y) in zip(x, actual) {
            #expect(abs(Double(y) - GELU.reference(Double(x))) <= 5e-7 * max(1, abs(Double(x)) / 2))
        }
    }

    @Test func exponentialIsWithinAnUlp() {
        for i in 0..<87_000 {
            let x = Float(i) * -1e-3
            let actual = exponential(SIMD8(repeating: x))[0]
            let expected = exp(Double(x))
            #expect(abs(Double(actual) - expected) <= 1.2e-7 * expected)
        }
        #expect(exponential(SIMD8(repeating: -1000))[3] == 0)
        #expect(exponential(SIMD8(repeating: 0))[7] == 1)
    }

    @Test(arguments: widths, rowCounts)
    func layerNormEqualsDoublePrecision(width: Int, rows: Int) {
        let x = random(rows * width, seed: 3)
        let residual = random(rows * width, seed: 4, scale: 3)
        let (bias, gain, shift) = (
            random(width, seed: 5), random(width, seed: 6), random(width, seed: 7)
        )
        var buffer = Guarded(x)
        let actual = buffer.run {
            LayerNorm.apply(
                $0, bias: bias, residual: residual, gain: gain, shift: shift, epsilon: 1e-3,
                rows: rows, width: width)
        }
        let expected = (0..<rows).flatMap { row in
            LayerNorm.reference(
                (0..<width).map { i in
                    let j = row * width + i
                    return Double(x[j]) + Double(bias[i]) + Double(residual[j])
                }, gain: gain.map(Double.init), shift: shift.map(Double.init), epsilon: 1e-3)
        }
        #expect(largestDifference(actual, expected) < 1e-5)

        var plain = Guarded(x)
        let normalized = plain.run {
            LayerNorm.apply(
                $0, gain: gain, shift: shift, epsilon: 1e-3, rows: rows, width: width)
        }
        let reference = (0..<rows).flatMap { row in
            LayerNorm.reference(
                x[row * width..<(row + 1) * width].map(Double.init), gain: gain.map(Double.init),
                shift: shift.map(Double.init), epsilon: 1e-3)
        }
        #expect(largestDifference(normalized, reference) < 1e-5)
    }

    @Test(arguments: widths, rowCounts)
    func softmaxEqualsDoublePrecision(width: Int, rows: Int) {
        let x = random(rows * width, seed: 8, scale: 30)
        var buffer = Guarded(x)
        let actual = buffer.run { Softmax.apply($0, rows: rows, width: width) }
        let expected = (0..<rows).flatMap { row in
            Softmax.reference(x[row * width..<(row + 1) * width].map(Double.init))
        }
        #expect(largestDifference(actual, expected) < 5e-7)
    }

    @Test func softmaxSurvivesExtremes() {
        let x: [Float] = [3e38, -3e38, 3e38, 0, 1, 2, 3, 4, -3e38]
        var buffer = Guarded(x)
        let actual = buffer.run { Softmax.apply($0, rows: 1, width: x.count) }
        #expect(actual == [0.5, 0, 0.5, 0, 0, 0, 0, 0, 0])
    }

    @Test(arguments: widths, [1, 2, 9])
    func poolingEqualsDoublePrecision(width: Int, rows: Int) {
        let x = random(rows * width, seed: 9)
        let wide = x.map(Double.init)
        var mean = Guarded([Float](repeating: 0, count: width))
        let actualMean = mean.run { Pooling.mean(x, rows: rows, width: width, into: $0) }
        #expect(
            largestDifference(
                actualMean, Pooling.meanReference(wide, rows: rows, width: width)) < 1e-6)
        var peak = Guarded([Float](repeating: 0, count: width))
        let actualPeak = peak.run { Pooling.max(x, rows: rows, width: width, into: $0) }
        #expect(actualPeak.map(Double.init) == Pooling.maxReference(wide, rows: rows, width: width))
        var unit = Guarded(Array(x[..<width]))
        let actualUnit = unit.run { Pooling.normalize($0, width: width) }
        #expect(
            largestDifference(actualUnit, Pooling.normalizeReference(Array(wide[..<width]))) < 1e-6)
    }

    @Test func aZeroVectorStaysZero() {
        var buffer = Guarded([0, 0, 0])
        #expect(buffer.run { Pooling.normalize($0, width: 3) } == [0, 0, 0])
    }

    @Test(arguments: widths, rowCounts)
    func rowsAreSummedExactly(width: Int, rows: Int) {
        let x = random(rows * width, seed: 10)
        let bias = random(width, seed: 11)
        var buffer = Guarded(x)
        let actual = buffer.run {
            RowOperations.add(bias: bias, to: $0, rows: rows, width: width)
        }
        #expect(actual == x.indices.map { x[$0] + bias[$0 % width] })
        guard rows > 0 else { return }
        var sum = Guarded([Float](repeating: 0, count: width))
        let total = sum.run { RowOperations.sum(x, bias, x, into: $0, width: width) }
        let expected: [Float] = (0..<width).map { x[$0] + bias[$0] + x[$0] }
        #expect(total == expected)
    }
}
