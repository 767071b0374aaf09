import EmbeddingEngine
import Foundation
import JSON
import ModelConversion
import Safetensors
import TestSupport
import Testing
import Transformer

/// Checkpoints that look different and are the same model.
struct ConversionTests {
    /// Everything in a model file but its provenance.
    private static func content(_ file: [UInt8]) throws -> RawSafetensors {
        var raw = try RawSafetensors(file)
        raw.metadata.removeAll { $0.key.hasPrefix("provenance.") }
        return raw
    }

    private static func expectSameModel(
        _ a: [UInt8], _ b: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let (a, b) = (try content(a), try content(b))
        #expect(a.metadata.map(\.key) == b.metadata.map(\.key), sourceLocation: sourceLocation)
        #expect(a.metadata.map(\.value) == b.metadata.map(\.value), sourceLocation: sourceLocation)
        #expect(a.tensors.map(\.name) == b.tensors.map(\.name), sourceLocation: sourceLocation)
        for (a, b) in zip(a.tensors, b.tensors) {
            #expect(a.bytes == b.bytes, "\(a.name)", sourceLocation: sourceLocation)
        }
    }

    @Test func conversionIsDeterministic() throws {
        let checkpoint = try CheckpointCopy()
        #expect(try checkpoint.converted() == CheckpointCopy().converted())
        #expect(try checkpoint.outputNames == ["model.safetensors"])
    }

    @Test func convertedModelOpensAndVerifies() throws {
        let embedder = try Embedder(CheckpointCopy().open(), .init(threadCount: 1))
        #expect(embedder.model.settings.name == "tiny")
        #expect(embedder.model.dimension == 24)
        let verification = try ModelVerification(embedder)
        #expect(verification.isSound)
        #expect(verification.selfTestCount == 3)
    }

    @Test(arguments: [DType.f16, .bf16])
    func halfPrecisionIsTheRoundedModel(dtype: DType) throws {
        func bits(_ value: Float) -> UInt16 {
            dtype == .f16
                ? Float16(value).bitPattern : UInt16(truncatingIfNeeded: value.bitPattern >> 16)
        }
        func value(_ bits: UInt16) -> Float {
            dtype == .f16
                ? Float(Float16(bitPattern: bits)) : Float(bitPattern: UInt32(bits) << 16)
        }
        let half = try CheckpointCopy()
        try half.editTensors {
            for i in $0.tensors.indices {
                let values = $0.tensors[i].floats.map(bits)
                $0.tensors[i].dtype = dtype
                $0.tensors[i].bytes = values.withUnsafeBytes(Array.init)
            }
        }
        let rounded = try CheckpointCopy()
        try rounded.editTensors {
            for i in $0.tensors.indices {
                $0.tensors[i].floats = $0.tensors[i].floats.map { value(bits($0)) }
            }
        }
        try Self.expectSameModel(half.converted(), rounded.converted())
        let settings = try half.open().settings
        #expect(settings.provenance["dtype"] == dtype.rawValue)
    }

    @Test func typesMayBeMixed() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.editTensors {
            let name = "embeddings.LayerNorm.weight"
            $0[name].dtype = .f16
            $0[name].bytes = [UInt8](repeating: 0, count: 48)
        }
        let settings = try checkpoint.open().settings
        #expect(settings.provenance["dtype"] == "F16,F32")
    }

    @Test func tensorsUnderAPrefixAreTheSameModel() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.editTensors {
            for i in $0.tensors.indices { $0.tensors[i].name = "bert." + $0.tensors[i].name }
            $0.tensors.append(
                .init(
                    name: "cls.predictions.bias", dtype: .f64, shape: [1],
                    bytes: .init(repeating: 0, count: 8)))
        }
        try Self.expectSameModel(checkpoint.converted(), CheckpointCopy().converted())
    }

    @Test func namesOfTensorFlowAreTheSameModel() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.editTensors {
            for i in $0.tensors.indices {
                $0.tensors[i].name = $0.tensors[i].name
                    .replacing("LayerNorm.weight", with: "LayerNorm.gamma")
                    .replacing("LayerNorm.bias", with: "LayerNorm.beta")
            }
        }
        try Self.expectSameModel(checkpoint.converted(), CheckpointCopy().converted())
    }

    @Test func poolerAndPositionIDsAreLeftOut() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.editTensors {
            $0.remove("pooler.dense.bias")
            $0.remove("pooler.dense.weight")
            $0.tensors.append(
                .init(
                    name: "embeddings.position_ids", dtype: .i64, shape: [1, 1],
                    bytes: .init(repeating: 0, count: 8)))
        }
        try Self.expectSameModel(checkpoint.converted(), CheckpointCopy().converted())
    }

    @Test func orderOfTheTensorsDoesNotMatter() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.editTensors { $0.tensors.reverse() }
        try Self.expectSameModel(checkpoint.converted(), CheckpointCopy().converted())
    }

    @Test func plainVocabularyIsTheSameTokenizer() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.editVocabulary { _ in }
        try Self.expectSameModel(checkpoint.converted(), CheckpointCopy().converted())
    }

    @Test(arguments: ["\r\n", "\n"], [true, false])
    func vocabularyOfAnyLineEndsIsTheSame(lineEnd: String, endsLastLine: Bool) throws {
        let checkpoint = try CheckpointCopy()
        let text = String(decoding: try checkpoint.contents("vocab.txt"), as: UTF8.self)
        let lines = text.split(separator: "\n").joined(separator: lineEnd)
        try checkpoint.remove("tokenizer.json")
        try checkpoint.write("vocab.txt", lines + (endsLastLine ? lineEnd : ""))
        try Self.expectSameModel(checkpoint.converted(), CheckpointCopy().converted())
    }

    @Test func templateIsTheSameAsBertProcessing() throws {
        let checkpoint = try CheckpointCopy()
        let template = #"""
            {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},
            {"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"[SEP]","type_id":0}}]}
            """#
        let value = try JSONValue(parsing: Array(template.utf8))
        try checkpoint.set("tokenizer.json", "post_processor", to: value)
        try Self.expectSameModel(checkpoint.converted(), CheckpointCopy().converted())
    }

    static let modes: [(config: String, mode: PoolingMode)] = [
        (#"{"pooling_mode":"cls"}"#, .cls), (#"{"pooling_mode":"max"}"#, .max),
        (#"{"pooling_mode":["mean"]}"#, .mean), (#"{"pooling_mode_cls_token":true}"#, .cls),
        (#"{"pooling_mode_max_tokens":true,"pooling_mode_mean_tokens":false}"#, .max),
    ]

    @Test(arguments: modes)
    func poolingIsReadInBothForms(_ config: String, _ mode: PoolingMode) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.write("1_Pooling/config.json", config)
        #expect(try checkpoint.open().settings.pooling == mode)
    }

    @Test func plainTransformerHasMeanPoolingAndNoNormalization() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.remove("modules.json")
        let settings = try checkpoint.open().settings
        #expect(settings.pooling == .mean)
        #expect(!settings.normalize)
    }

    static let windows: [(limit: JSONValue?, count: Int)] = [
        (nil, 48), (.null, 48), (.integer(2), 2), (.integer(20), 20), (.number(1e30), 48),
        (.integer(48), 48), (.integer(512), 48),
    ]

    @Test(arguments: windows)
    func windowIsTheTokenizersWithinThePositions(_ limit: JSONValue?, _ count: Int) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.remove("sentence_bert_config.json")
        try checkpoint.set("tokenizer_config.json", "model_max_length", to: limit)
        #expect(try checkpoint.open().settings.maximumTokenCount == count)
    }

    @Test func refusalLeavesTheModelOfBefore() throws {
        let checkpoint = try CheckpointCopy()
        let before = try checkpoint.converted()
        try checkpoint.editTensors { $0.remove("embeddings.LayerNorm.bias") }
        #expect(throws: ConversionError.missingTensor("embeddings.LayerNorm.bias")) {
            try checkpoint.convert()
        }
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: checkpoint.output))) == before)
        #expect(try checkpoint.outputNames == ["model.safetensors"])
    }

    @Test func theCheckpointIsNeverOverwritten() throws {
        let checkpoint = try CheckpointCopy()
        let path = checkpoint.file("model.safetensors")
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(throws: ConversionError.outputIsInput(path: path)) {
            try ModelConverter.convert(directory: checkpoint.path, output: path)
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    @Test func outputInAMissingDirectoryIsNamed() throws {
        let checkpoint = try CheckpointCopy()
        let path = checkpoint.file("missing/model.safetensors")
        let expected = ConversionError.file(
            FileError(
                path: path, reason: .system(.noSuchFileOrDirectory), isWriting: true))
        #expect(throws: expected) {
            try ModelConverter.convert(directory: checkpoint.path, output: path)
        }
    }
}
