import Safetensors

/// The weights of a BERT encoder, in place in a mapped model file.
///
/// Linear layers are stored as checkpoints store them, `[out, in]`, and applied as y = x Wᵀ + b.
/// The query, key and value layers stand below each other as one.
public struct BertWeights: @unchecked Sendable {  // read-only memory that `owner` keeps
    public typealias Tensor = UnsafePointer<Float>

    public struct Layer {
        public var qkvWeight: Tensor  // [3H, H]
        public var qkvBias: Tensor  // [3H]
        public var attentionOutputWeight: Tensor  // [H, H]
        public var attentionOutputBias: Tensor  // [H]
        public var attentionNormGain: Tensor  // [H]
        public var attentionNormShift: Tensor  // [H]
        public var intermediateWeight: Tensor  // [I, H]
        public var intermediateBias: Tensor  // [I]
        public var outputWeight: Tensor  // [H, I]
        public var outputBias: Tensor  // [H]
        public var outputNormGain: Tensor  // [H]
        public var outputNormShift: Tensor  // [H]
    }

    public var wordEmbeddings: Tensor  // [V, H]
    public var positionEmbeddings: Tensor  // [P, H]
    /// The embedding of token type 0, the only one that single texts have.
    public var tokenTypeEmbedding: Tensor  // [H]
    public var embeddingNormGain: Tensor  // [H]
    public var embeddingNormShift: Tensor  // [H]
    public var layers: [Layer]
    /// Keeps the memory.
    private let owner: any Sendable & AnyObject

    /// The name and shape of every tensor that a model file must have, in the file's order.
    public static func layout(_ c: BertConfiguration) -> [(name: String, shape: [Int])] {
        let (h, i) = (c.hiddenSize, c.intermediateSize)
        var layout: [(String, [Int])] = [
            ("embeddings.word_embeddings.weight", [c.vocabularySize, h]),
            ("embeddings.position_embeddings.weight", [c.maximumPositionCount, h]),
            ("embeddings.token_type_embeddings.weight", [h]),
            ("embeddings.LayerNorm.weight", [h]),
            ("embeddings.LayerNorm.bias", [h]),
        ]
        for layer in 0..<c.layerCount {
            let prefix = "encoder.layer.\(layer)."
            layout += [
                (prefix + "attention.self.qkv.weight", [3 * h, h]),
                (prefix + "attention.self.qkv.bias", [3 * h]),
                (prefix + "attention.output.dense.weight", [h, h]),
                (prefix + "attention.output.dense.bias", [h]),
                (prefix + "attention.output.LayerNorm.weight", [h]),
                (prefix + "attention.output.LayerNorm.bias", [h]),
                (prefix + "intermediate.dense.weight", [i, h]),
                (prefix + "intermediate.dense.bias", [i]),
                (prefix + "output.dense.weight", [h, i]),
                (prefix + "output.dense.bias", [h]),
                (prefix + "output.LayerNorm.weight", [h]),
                (prefix + "output.LayerNorm.bias", [h]),
            ]
        }
        return layout
    }

    /// Finds the weights in a model file.
    ///
    /// - Throws: `SafetensorsError`: a tensor is missing or of another type or shape.
    public init(
        _ file: SafetensorsFile, _ configuration: BertConfiguration
    ) throws(SafetensorsError) {
        var tensors: [Tensor] = []
        for (name, shape) in Self.layout(configuration) {
            let elements = try file.elements(name, .f32, shape, as: Float.self)
            guard let base = elements.baseAddress else { throw .missingTensor(name) }
            tensors.append(base)
        }
        self.init(tensors, owner: file)
    }

    /// Weights in memory that `owner` keeps, a pointer for each entry of ``layout(_:)``.
    public init(_ tensors: [Tensor], owner: any Sendable & AnyObject) {
        precondition(tensors.count % 12 == 5, "not the tensors of the layout")
        wordEmbeddings = tensors[0]
        positionEmbeddings = tensors[1]
        tokenTypeEmbedding = tensors[2]
        embeddingNormGain = tensors[3]
        embeddingNormShift = tensors[4]
        layers = stride(from: 5, to: tensors.count, by: 12).map { i in
            Layer(
                qkvWeight: tensors[i], qkvBias: tensors[i + 1],
                attentionOutputWeight: tensors[i + 2], attentionOutputBias: tensors[i + 3],
                attentionNormGain: tensors[i + 4], attentionNormShift: tensors[i + 5],
                intermediateWeight: tensors[i + 6], intermediateBias: tensors[i + 7],
                outputWeight: tensors[i + 8], outputBias: tensors[i + 9],
                outputNormGain: tensors[i + 10], outputNormShift: tensors[i + 11])
        }
        self.owner = owner
    }
}
