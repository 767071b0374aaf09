import EmbeddingEngine
import Foundation
import Safetensors
import TestSupport
import Testing
import Transformer

/// The whole engine against the reference model: every element of every vector within 2e-6.
@Suite(.enabled(if: RealModel.isPresent, "the model is not set up: run tools/setup.sh"))
struct ReferenceModelTests {
    private static let tolerance: Float = 2e-6

    private func largestDifference(_ cases: [ReferenceCase]) throws -> Float {
        let embeddings = try RealModel.embedder.get().embed(cases.map(\.text))
        var largest: Float = 0
        for (i, expected) in cases.enumerated() {
            let vector = try #require(expected.vector)
            for (a, b) in zip(embeddings[i], vector) { largest = max(largest, abs(a - b)) }
        }
        return largest
    }

    @Test func vectorsOfTheFixturesEqualTheReferences() throws {
        let cases = try ReferenceCase.read(TestFiles.fixture("reference.jsonl"))
        #expect(cases.count == 32)
        let largest = try largestDifference(cases)
        #expect(largest < Self.tolerance)
    }

    /// Whatever processor the tests run on, the kernels for older ones are tested too.
    @Test func vectorsOfAllKernelsEqualTheReferences() throws {
        let cases = try ReferenceCase.read(TestFiles.fixture("reference.jsonl"))
        let model = try RealModel.embedder.get().model
        for (name, encoder) in model.encoder.onAllKernels()
        where Build.isOptimized || name != "portable vectors" {
            for expected in cases where expected.ids.count <= 256 {
                var batch = PackedBatch()
                batch.append(expected.ids)
                var vector = [Float](repeating: .nan, count: encoder.configuration.hiddenSize)
                try vector.withUnsafeMutableBufferPointer {
                    try encoder.forward(
                        batch, workspace: EncoderWorkspace(), normalize: true, into: $0)
                }
                let reference = try #require(expected.vector)
                #expect(
                    zip(vector, reference).allSatisfy { abs($0 - $1) < Self.tolerance }, "\(name)")
            }
        }
    }

    static let embeddings = TestFiles.shared("reference/embeddings.jsonl")

    @Test(
        .enabled(if: Build.isOptimized, "takes minutes in a debug build"),
        .enabled(if: embeddings != nil, "the full reference is not on this machine"))
    func vectorsOfTheFullReferenceAreEqual() throws {
        let cases = try ReferenceCase.read(#require(Self.embeddings))
        #expect(cases.count == 791)
        let largest = try largestDifference(cases)
        print("largest difference over \(cases.count) texts: \(largest)")
        #expect(largest < Self.tolerance)
    }

    static let activations = TestFiles.shared("reference/activations.safetensors")

    /// Hidden states reach 10, where float32 has steps of 1e-6.
    @Test(
        .enabled(if: activations != nil, "the reference activations are not on this machine"),
        arguments: ["short.", "paragraph."])
    func everyLayerEqualsTheReferences(text: String) throws {
        let file = try SafetensorsFile(path: #require(Self.activations).path)
        try checkStages(
            try RealModel.embedder.get().model.encoder, file, prefix: text, tolerance: 2e-5,
            attentions: 1)
    }

    @Test func aTextAloneInABatchAndReorderedHasTheSameVector() throws {
        let embedder = try RealModel.embedder.get()
        let texts = try ReferenceCase.read(TestFiles.fixture("reference.jsonl")).map(\.text)
        let together = try embedder.embed(texts)
        let backwards = try embedder.embed(texts.reversed())
        for (i, text) in texts.enumerated() {
            let alone = try embedder.embed([text])
            for (j, element) in together[i].enumerated() {
                #expect(abs(element - alone.vectors[j]) < 1e-6)
                let reversed = backwards[texts.count - 1 - i]
                #expect(abs(element - reversed[reversed.startIndex + j]) < 1e-6)
            }
        }
    }

    static let sts = TestFiles.shared("data/stsb/sts-dev.csv")

    @Test(
        .enabled(if: Build.isOptimized, "takes minutes in a debug build"),
        .enabled(if: sts != nil, "STS-B is not on this machine"))
    func similaritiesRankSTSBenchmarkAsTheReferenceDoes() throws {
        let lines = try String(contentsOf: #require(Self.sts), encoding: .utf8)
            .split(separator: "\n").map {
                $0.split(separator: "\t", omittingEmptySubsequences: false)
            }
        let embedder = try RealModel.embedder.get()
        let first = try embedder.embed(lines.map { String($0[5]) })
        let second = try embedder.embed(lines.map { String($0[6]) })
        let cosines = lines.indices.map { Cosine.similarity(first[$0], second[$0]) }
        let correlation = pearson(ranks(cosines), ranks(lines.map { Double($0[4]) ?? .nan }))
        #expect(lines.count == 1500)
        #expect((correlation * 10_000).rounded() / 10_000 == 0.8672)
    }

    /// Ranks from 1; equal values share the mean of theirs.
    private func ranks(_ values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = [Double](repeating: 0, count: values.count)
        var start = 0
        while start < order.count {
            var end = start
            while end + 1 < order.count, values[order[end + 1]] == values[order[start]] { end += 1 }
            for i in start...end { ranks[order[i]] = Double(start + end) / 2 + 1 }
            start = end + 1
        }
        return ranks
    }

    private func pearson(_ x: [Double], _ y: [Double]) -> Double {
        let (mx, my) = (
            x.reduce(0, +) / Double(x.count), y.reduce(0, +) / Double(y.count)
        )
        var (xy, xx, yy) = (0.0, 0.0, 0.0)
        for (a, b) in zip(x, y) {
            xy += (a - mx) * (b - my)
            xx += (a - mx) * (a - mx)
            yy += (b - my) * (b - my)
        }
        return xy / (xx * yy).squareRoot()
    }
}
