import EmbeddingEngine
import Foundation
import Safetensors
import TestSupport
import Testing
import Transformer

/// Computes one batch and returns a vector a sequence.
private func forward(
    _ encoder: BertEncoder, _ sequences: [[Int32]], normalize: Bool = false,
    tap: EncoderTap? = nil, workspace: EncoderWorkspace = EncoderWorkspace()
) throws -> [[Float]] {
    var batch = PackedBatch()
    for sequence in sequences { batch.append(sequence) }
    let width = encoder.configuration.hiddenSize
    var output = [Float](repeating: .nan, count: sequences.count * width)
    try output.withUnsafeMutableBufferPointer {
        try encoder.forward(
            batch, workspace: workspace, normalize: normalize, into: $0, tap: tap)
    }
    return stride(from: 0, to: output.count, by: width).map { Array(output[$0..<$0 + width]) }
}

private func difference(_ a: [Float], _ b: [Float]) -> Float {
    precondition(a.count == b.count)
    return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

@Suite struct BertEncoderTests {
    private let encoder: BertEncoder
    private let expectations: [TinyModel.Expectation]

    init() throws {
        encoder = try EmbeddingModel(path: TinyModel.path).encoder
        expectations = try TinyModel.expectations()
    }

    /// Values reach 4 in these unnormalized vectors: 32 units in the last place.
    @Test(arguments: PoolingMode.allCases, [true, false])
    func vectorsEqualTheReferences(pooling: PoolingMode, normalize: Bool) throws {
        let encoder = BertEncoder(encoder.configuration, encoder.weights, pooling: pooling)
        #expect(expectations.count == 5)
        for expected in expectations {
            let actual = try forward(encoder, [expected.ids], normalize: normalize)[0]
            let key = pooling.rawValue + (normalize ? "_normalized" : "")
            let vector = try #require(expected.vectors[key])
            #expect(difference(actual, vector) < (normalize ? 2e-6 : 1e-5), "\(expected.text)")
        }
    }

    @Test func everyStageEqualsTheReferences() throws {
        let reference = try SafetensorsFile(
            path: TestFiles.fixture("tiny-bert-activations.safetensors").path)
        try checkStages(encoder, reference, prefix: "", tolerance: 1e-5, attentions: 2)
    }

    @Test func theDoublePrecisionEncoderAgrees() throws {
        let reference = ReferenceEncoder(encoder)
        for expected in expectations {
            for normalize in [true, false] {
                let slow = reference.forward(expected.ids, normalize: normalize).map { Float($0) }
                let fast = try forward(encoder, [expected.ids], normalize: normalize)[0]
                #expect(difference(slow, fast) < 1e-5)
            }
        }
    }

    @Test func aTextAloneInABatchAndReorderedHasTheSameVector() throws {
        var generator = SeededGenerator(seed: 3)
        let sequences = (0..<40).map { _ in
            (0..<Int.random(in: 1...48, using: &generator)).map { _ in
                Int32.random(in: 0..<97, using: &generator)
            }
        }
        let workspace = EncoderWorkspace()
        let together = try forward(encoder, sequences, normalize: true, workspace: workspace)
        for (i, sequence) in sequences.enumerated() {
            let alone = try forward(encoder, [sequence], normalize: true, workspace: workspace)
            #expect(difference(alone[0], together[i]) < 1e-6)
        }
        let backwards = try forward(
            encoder, sequences.reversed(), normalize: true, workspace: workspace)
        for (a, b) in zip(together, backwards.reversed()) { #expect(difference(a, b) < 1e-6) }
    }

    @Test func anEmptyBatchIsNoWork() throws {
        #expect(try forward(encoder, []).isEmpty)
    }

    @Test func whatIsOutOfRangeIsRefused() {
        #expect(throws: TransformerError.tokenOutOfRange(id: 97, vocabularySize: 97)) {
            try forward(encoder, [[2, 97, 3]])
        }
        #expect(throws: TransformerError.tokenOutOfRange(id: -1, vocabularySize: 97)) {
            try forward(encoder, [[2, 3], [-1]])
        }
        #expect(throws: TransformerError.sequenceLengthOutOfRange(49, limit: 48)) {
            try forward(encoder, [[2], [Int32](repeating: 5, count: 49)])
        }
        #expect(throws: TransformerError.sequenceLengthOutOfRange(0, limit: 48)) {
            try forward(encoder, [[]])
        }
    }

    @Test(
        arguments: [
            (0, 1, 1, 1, 1, 2, "hidden_size 0 is not within 1 and 8192"),
            (8, 0, 1, 1, 1, 2, "num_hidden_layers 0 is not within 1 and 256"),
            (8, 1, 9, 1, 1, 2, "num_attention_heads 9 is not within 1 and 8"),
            (8, 1, 3, 1, 1, 2, "hidden_size 8 is no multiple of num_attention_heads 3"),
            (8, 1, 2, -1, 1, 2, "intermediate_size -1 is not within 1 and 65536"),
            (8, 1, 2, 1, 1 << 62, 2, "vocab_size 4611686018427387904 is not within 1 and 10000000"),
            (8, 1, 2, 1, 1, 1, "max_position_embeddings 1 is not within 2 and 16384"),
        ])
    func sizesThatMakeNoModelAreNamed(
        h: Int, l: Int, a: Int, i: Int, v: Int, p: Int, message: String
    ) {
        #expect(throws: TransformerError.invalidConfiguration(message)) {
            try BertConfiguration(
                hiddenSize: h, layerCount: l, attentionHeadCount: a, intermediateSize: i,
                vocabularySize: v, maximumPositionCount: p, layerNormEpsilon: 1e-12)
        }
    }
}

/// Compares hidden states and attentions of one text with a file of them.
func checkStages(
    _ encoder: BertEncoder, _ reference: SafetensorsFile, prefix: String, tolerance: Float,
    attentions: Int
) throws {
    func read(_ name: String) throws -> [Float] {
        let tensor = try #require(reference.tensor(prefix + name))
        return Array(try reference.elements(prefix + name, .f32, tensor.shape, as: Float.self))
    }
    let idTensor = try #require(reference.tensor(prefix + "ids"))
    let ids = Array(
        try reference.elements(prefix + "ids", .i32, idTensor.shape, as: Int32.self))

    var hidden: [Int: [Float]] = [:]
    var attention: [Int: [Float]] = [:]
    let tap = EncoderTap { stage, rows, columns, x in
        let values = UnsafeBufferPointer(start: x, count: rows * columns)
        switch stage {
        case .hidden(let n): hidden[n] = Array(values)
        case .attention(let layer, 0, _): attention[layer, default: []] += values
        default: break
        }
    }
    _ = try forward(encoder, [ids], tap: tap)
    #expect(hidden.count == encoder.configuration.layerCount + 1)
    for (n, values) in hidden {
        #expect(difference(values, try read("hidden.\(n)")) < tolerance, "hidden.\(n)")
    }
    for layer in 0..<attentions {
        let values = try #require(attention[layer])
        #expect(difference(values, try read("attention.\(layer)")) < 2e-6, "attention.\(layer)")
    }
}
