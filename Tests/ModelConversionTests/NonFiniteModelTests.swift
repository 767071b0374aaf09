import EmbeddingEngine
import ModelConversion
import Safetensors
import Testing

/// Models that compute no numbers: opened, since weights are not read then, and found at the first
/// use.
struct NonFiniteModelTests {
    private static let weights =
        [
            "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight",
            "embeddings.token_type_embeddings.weight", "embeddings.LayerNorm.weight",
            "embeddings.LayerNorm.bias",
        ]
        + [0, 1].flatMap { layer in
            [
                "attention.self.qkv.weight", "attention.self.qkv.bias",
                "attention.output.dense.weight", "attention.output.dense.bias",
                "attention.output.LayerNorm.weight", "attention.output.LayerNorm.bias",
                "intermediate.dense.weight", "intermediate.dense.bias", "output.dense.weight",
                "output.dense.bias", "output.LayerNorm.weight", "output.LayerNorm.bias",
            ].map { "encoder.layer.\(layer).\($0)" }
        }

    private static let poolings = ["mean", "cls", "max"]

    private static func model(
        _ name: String, _ pooling: String, normalize: Bool, fill value: Float
    ) throws -> ModelCopy {
        let model = try ModelCopy()
        model.raw.setMetadata("pooling_mode", to: pooling)
        model.raw.setMetadata("normalize", to: "\(normalize)")
        let count = model.raw[name].bytes.count / 4
        model.raw[name].floats = [Float](repeating: value, count: count)
        return model
    }

    @Test(arguments: weights, poolings)
    func weightsOfNaNAreReportedAndEmbedNothing(name: String, pooling: String) throws {
        for normalize in [true, false] {
            let model = try Self.model(name, pooling, normalize: normalize, fill: .nan)
            let embedder = try model.embedder()
            let verification = try ModelVerification(embedder)
            #expect(verification.nonFiniteTensor == name)
            #expect(!verification.isSound)
            #expect(throws: EmbeddingError.model(.nonFiniteOutput(sequence: 0))) {
                try embedder.embed(["a"])
            }
        }
    }

    @Test(arguments: weights, [Float.infinity, -.infinity])
    func infiniteWeightsAreReportedAndEmbedNothing(name: String, value: Float) throws {
        for pooling in Self.poolings {
            let model = try Self.model(name, pooling, normalize: true, fill: value)
            let embedder = try model.embedder()
            #expect(try ModelVerification(embedder).nonFiniteTensor == name)
            #expect(throws: EmbeddingError.model(.nonFiniteOutput(sequence: 0))) {
                try embedder.embed(["a"])
            }
        }
    }

    /// PyTorch would give a vector of zeros.
    @Test(arguments: poolings, [Float(1e20), 1e30, .greatestFiniteMagnitude])
    func vectorTooLongToNormalizeIsNotZero(pooling: String, gain: Float) throws {
        let name = "encoder.layer.1.output.LayerNorm.weight"
        let model = try Self.model(name, pooling, normalize: true, fill: gain)
        #expect(throws: EmbeddingError.model(.nonFiniteOutput(sequence: 0))) {
            try model.embedder().embed(["a"])
        }
    }

    @Test func onlyTheTextThatMeetsTheDamageFails() throws {
        let model = try ModelCopy()
        // Token 5 is "a".
        model.raw["embeddings.word_embeddings.weight"].floats[5 * 24] = .nan
        let embedder = try model.embedder()
        #expect(try embedder.embed(["b", "c"]).count == 2)
        #expect(throws: EmbeddingError.model(.nonFiniteOutput(sequence: 2))) {
            try embedder.embed(["b", "c", "a", "the"])
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity], [0, 71])
    func selfTestThatIsNoNumberIsNotSound(value: Float, index: Int) throws {
        let model = try ModelCopy()
        model.raw[EmbeddingModel.TensorName.selfTestVectors].floats[index] = value
        let verification = try ModelVerification(model.embedder())
        #expect(verification.nonFiniteTensor == EmbeddingModel.TensorName.selfTestVectors)
        #expect(!verification.isSound)
    }

    @Test func selfTestOfAnotherModelIsNotSound() throws {
        let model = try ModelCopy()
        model.raw[EmbeddingModel.TensorName.selfTestVectors].floats[0] += 1e-3
        let verification = try ModelVerification(model.embedder())
        #expect(verification.nonFiniteTensor == nil)
        #expect(abs(verification.largestDifference - 1e-3) < 1e-5)
        #expect(!verification.isSound)
    }

    @Test func changedWeightHasAnotherFingerprint() throws {
        let model = try ModelCopy()
        let name = "encoder.layer.0.output.dense.bias"
        model.raw[name].floats[0] = model.raw[name].floats[0].nextUp
        let verification = try ModelVerification(model.embedder())
        #expect(verification.actualFingerprint != verification.statedFingerprint)
        #expect(!verification.isSound)
    }
}
