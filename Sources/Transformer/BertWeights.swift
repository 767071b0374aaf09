import Safetensors

/// The weights of a BERT encoder, in place in a mapped model file.
///
/// Linear layers, `[out, in]` in checkpoints and applied as y = x Wᵀ + b, are stored in panels of
/// outputs (``PackedMatrix``). The query, key and value layers stand below each other as one.
public struct BertWeights: @unchecked Sendable {  // read-only memory that `owner` keeps
    public typealias Tensor = UnsafePointer<Float>

    public struct Layer {
        public var qkvWeight: PackedMatrix  // [3H, H]
        public var qkvBias: Tensor  // [3H]
        public var attentionOutputWeight: PackedMatrix  // [H, H]
        public var attentionOutputBias: Tensor  // [H]
        public var attentionNormGain: Tensor  // [H]
        public var attentionNormShift: Tensor  // [H]
        public var intermediateWeight: PackedMatrix  // [I, H]
        public var intermediateBias: Tensor  // [I]
        public var outputWeight: PackedMatrix  // [H, I]
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

    /// A tensor of a model file.
    public struct Layout: Sendable, Equatable {
        public var name: String
        /// As in a checkpoint: `[out, in]` where it is a linear layer's.
        public var shape: [Int]
        /// As in a model file: in panels where it is a linear layer's.
        public var storedShape: [Int] {
            isPacked ? PackedMatrix.shape(inner: shape[1], columns: shape[0]) : shape
        }
        /// Whether it is a linear layer's weights.
        public var isPacked: Bool { shape.count == 2 && !name.hasPrefix("embeddings.") }

        /// The elements as in a checkpoint.
        ///
        /// - Parameter stored: of ``storedShape``.
        public func logical(_ stored: UnsafeBufferPointer<Float>) -> [Float] {
            guard isPacked, let base = stored.baseAddress else { return Array(stored) }
            return PackedMatrix(base, inner: shape[1], columns: shape[0]).rowMajor()
        }
    }

    /// How the names of the layers' tensors begin.
    public static let layerPrefix = "encoder.layer."

    /// Every tensor that a model file must have, in the file's order.
    public static func layout(_ c: BertConfiguration) -> [Layout] {
        let (h, i) = (c.hiddenSize, c.intermediateSize)
        var layout: [(String, [Int])] = [
            ("embeddings.word_embeddings.weight", [c.vocabularySize, h]),
            ("embeddings.position_embeddings.weight", [c.maximumPositionCount, h]),
            ("embeddings.token_type_embeddings.weight", [h]),
            ("embeddings.LayerNorm.weight", [h]),
            ("embeddings.LayerNorm.bias", [h]),
        ]
        for layer in 0..<c.layerCount {
            let prefix = "\(layerPrefix)\(layer)."
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
        return layout.map { Layout(name: $0.0, shape: $0.1) }
    }

    /// Finds the weights in a model file.
    ///
    /// - Throws: `SafetensorsError`: a tensor is missing or of another type or shape.
    public init(
        _ file: SafetensorsFile, _ configuration: BertConfiguration
    ) throws(SafetensorsError) {
        var tensors: [Tensor] = []
        for tensor in Self.layout(configuration) {
            let elements = try file.elements(
                tensor.name, .f32, tensor.storedShape, as: Float.self)
            guard let base = elements.baseAddress else { throw .missingTensor(tensor.name) }
            tensors.append(base)
        }
        self.init(tensors, configuration, owner: file)
    }

    /// Weights in memory that `owner` keeps, a pointer for each entry of ``layout(_:)``, stored as it
    /// says.
    public init(
        _ tensors: [Tensor], _ configuration: BertConfiguration, owner: any Sendable & AnyObject
    ) {
        let (hidden, inner) = (configuration.hiddenSize, configuration.intermediateSize)
        func matrix(_ index: Int, _ inner: Int, _ columns: Int) -> PackedMatrix {
            PackedMatrix(tensors[index], inner: inner, columns: columns)
        }
        precondition(tensors.count % 12 == 5, "not the tensors of the layout")
        wordEmbeddings = tensors[0]
        positionEmbeddings = tensors[1]
        tokenTypeEmbedding = tensors[2]
        embeddingNormGain = tensors[3]
        embeddingNormShift = tensors[4]
        layers = stride(from: 5, to: tensors.count, by: 12).map { i in
            Layer(
                qkvWeight: matrix(i, hidden, 3 * hidden), qkvBias: tensors[i + 1],
                attentionOutputWeight: matrix(i + 2, hidden, hidden),
                attentionOutputBias: tensors[i + 3],
                attentionNormGain: tensors[i + 4], attentionNormShift: tensors[i + 5],
                intermediateWeight: matrix(i + 6, hidden, inner), intermediateBias: tensors[i + 7],
                outputWeight: matrix(i + 8, inner, hidden), outputBias: tensors[i + 9],
                outputNormGain: tensors[i + 10], outputNormShift: tensors[i + 11])
        }
        self.owner = owner
    }
}
