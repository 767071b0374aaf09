import Foundation
import ModelConversion
import Safetensors
import Testing

/// Checkpoints whose tensors are not those of the encoder that config.json describes.
struct WeightRefusalTests {
    private static let bias = "encoder.layer.1.attention.self.key.bias"
    private static let word = "embeddings.word_embeddings.weight"

    private static func tensors(
        _ description: String, _ error: ConversionError,
        change: @escaping @Sendable (inout RawSafetensors) -> Void
    ) -> Refusal {
        Refusal(description, error) { try $0.editTensors(change) }
    }

    static let refusals = [
        tensors("a tensor is missing", .missingTensor(bias)) { $0.remove(bias) },
        tensors("the word embeddings are missing", .missingTensor(word)) { $0.remove(word) },
        tensors("another tensor stands beside", .extraTensor("classifier.weight")) {
            $0.tensors.append(
                .init(name: "classifier.weight", dtype: .f32, shape: [1], bytes: [0, 0, 0, 0]))
        },
        tensors("a head stands beside", .extraTensor("cls.predictions.bias")) {
            $0.tensors.append(
                .init(name: "cls.predictions.bias", dtype: .f32, shape: [1], bytes: [0, 0, 0, 0]))
        },
        tensors("a LayerNorm has both names", .extraTensor("embeddings.LayerNorm.gamma")) {
            var copy = $0["embeddings.LayerNorm.weight"]
            copy.name = "embeddings.LayerNorm.gamma"
            $0.tensors.append(copy)
        },
        tensors("a LayerNorm has neither name", .missingTensor("embeddings.LayerNorm.weight")) {
            $0["embeddings.LayerNorm.weight"].name = "embeddings.LayerNorm.gain"
        },
        tensors(
            "a matrix is transposed in its shape",
            .wrongShape(
                tensor: "encoder.layer.0.output.dense.weight", expected: [24, 40], actual: [40, 24])
        ) {
            $0["encoder.layer.0.output.dense.weight"].shape = [40, 24]
        },
        tensors(
            "a vector has two dimensions",
            .wrongShape(tensor: bias, expected: [24], actual: [1, 24])
        ) {
            $0[bias].shape = [1, 24]
        },
        tensors(
            "the key is as large as query, key and value",
            .wrongShape(tensor: bias, expected: [24], actual: [72])
        ) {
            $0[bias].shape = [72]
            $0[bias].bytes += $0[bias].bytes + $0[bias].bytes
        },
        tensors(
            "a tensor is empty", .wrongShape(tensor: word, expected: [97, 24], actual: [0, 24])
        ) {
            $0[word].shape = [0, 24]
            $0[word].bytes = []
        },
    ]

    @Test(arguments: refusals)
    func tensorsOtherThanTheEncodersAreRefused(_ refusal: Refusal) throws {
        try refusal.check()
    }

    @Test(arguments: [DType.f64, .i64, .u64, .i32, .u32, .i16, .i8, .u8, .bool, .f8e4m3, .f8e5m2])
    func weightsOfAnotherTypeAreRefused(dtype: DType) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.editTensors {
            $0[Self.bias].dtype = dtype
            $0[Self.bias].bytes = [UInt8](repeating: 0, count: 24 * dtype.byteCount)
        }
        try checkpoint.expectRefusal(
            .unsupportedDType(tensor: Self.bias, dtype: dtype.rawValue))
    }

    static let values: [Float] = [.nan, .signalingNaN, -.nan, .infinity, -.infinity]

    @Test(arguments: values, [0, 23])
    func weightThatIsNotFiniteIsRefused(value: Float, index: Int) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.editTensors { $0[Self.bias].floats[index] = value }
        try checkpoint.expectRefusal(.nonFiniteWeight(tensor: Self.bias, index: index))
    }

    @Test(arguments: [
        (DType.f16, [UInt8]([0x00, 0x7C])), (.f16, [0x01, 0x7E]), (.bf16, [0x80, 0xFF]),
    ])
    func halfPrecisionWeightThatIsNotFiniteIsRefused(dtype: DType, bits: [UInt8]) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.editTensors {
            $0[Self.bias].dtype = dtype
            $0[Self.bias].bytes = [UInt8](repeating: 0, count: 46) + bits
        }
        try checkpoint.expectRefusal(.nonFiniteWeight(tensor: Self.bias, index: 23))
    }

    @Test func tokenTypeThatIsNeverUsedMustBeFiniteToo() throws {
        let checkpoint = try CheckpointCopy()
        let name = "embeddings.token_type_embeddings.weight"
        try checkpoint.editTensors { $0[name].floats[47] = .nan }
        try checkpoint.expectRefusal(.nonFiniteWeight(tensor: name, index: 47))
    }

    /// Finite weights whose vectors are not: a layer's outputs are all equal, and its epsilon is 0.
    @Test func modelThatComputesNoFiniteVectorIsRefused() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("config.json", "layer_norm_eps", to: .integer(0))
        try checkpoint.editTensors {
            for name in ["word", "position", "token_type"] {
                let name = "embeddings.\(name)_embeddings.weight"
                $0[name].bytes = [UInt8](repeating: 0, count: $0[name].bytes.count)
            }
        }
        try checkpoint.expectRefusal(.nonFiniteVector(selfTest: 0))
    }

    @Test(arguments: [
        "pytorch_model.bin", "model.safetensors.index.json", "model.onnx", "tf_model.h5",
    ])
    func weightsOfAnotherFormatAreNamed(name: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.remove("model.safetensors")
        try checkpoint.write(name, "{}")
        try checkpoint.expectRefusal(.noWeights(directory: checkpoint.path, found: name))
    }

    @Test func checkpointWithoutWeightsIsRefused() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.remove("model.safetensors")
        try checkpoint.expectRefusal(.noWeights(directory: checkpoint.path, found: nil))
    }

    @Test func weightsThatAreADirectoryAreRefused() throws {
        let checkpoint = try CheckpointCopy()
        let path = checkpoint.file("model.safetensors")
        try checkpoint.remove("model.safetensors")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        try checkpoint.expectRefusal(.file(FileError(path: path, reason: .notRegular)))
    }

    @Test func emptyWeightsAreRefused() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.write("model.safetensors", [])
        let path = checkpoint.file("model.safetensors")
        try checkpoint.expectRefusal(.file(FileError(path: path, reason: .empty)))
    }

    @Test func namesThatDifferFromOursOnlyInTheirCompositionAreExtra() throws {
        let checkpoint = try CheckpointCopy()
        for name in ["e\u{301}", "\u{E9}"] {
            try checkpoint.editTensors {
                $0.tensors.append(.init(name: name, dtype: .u8, shape: [0], bytes: []))
            }
        }
        try checkpoint.expectRefusal(.extraTensor("e\u{301}"))
    }
}
