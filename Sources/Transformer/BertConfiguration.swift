/// The shape of a BERT encoder, under the names of Hugging Face's config.json.
public struct BertConfiguration: Sendable, Equatable {
    public var hiddenSize: Int  // H
    public var layerCount: Int
    public var attentionHeadCount: Int  // A
    public var intermediateSize: Int  // I
    public var vocabularySize: Int  // V
    public var maximumPositionCount: Int  // P
    public var layerNormEpsilon: Float

    /// D
    public var headSize: Int { hiddenSize / attentionHeadCount }

    /// - Throws: `TransformerError.invalidConfiguration`: a size that is not positive, beyond any
    ///   model of this kind, or no multiple of what it must be one of.
    public init(
        hiddenSize: Int, layerCount: Int, attentionHeadCount: Int, intermediateSize: Int,
        vocabularySize: Int, maximumPositionCount: Int, layerNormEpsilon: Float
    ) throws(TransformerError) {
        self.hiddenSize = hiddenSize
        self.layerCount = layerCount
        self.attentionHeadCount = attentionHeadCount
        self.intermediateSize = intermediateSize
        self.vocabularySize = vocabularySize
        self.maximumPositionCount = maximumPositionCount
        self.layerNormEpsilon = layerNormEpsilon
        // The limits keep every product of two or three of these far from overflow.
        try Self.check(hiddenSize, 1...8192, "hidden_size")
        try Self.check(layerCount, 1...256, "num_hidden_layers")
        try Self.check(attentionHeadCount, 1...hiddenSize, "num_attention_heads")
        try Self.check(intermediateSize, 1...65_536, "intermediate_size")
        try Self.check(vocabularySize, 1...10_000_000, "vocab_size")
        try Self.check(maximumPositionCount, 2...16_384, "max_position_embeddings")
        guard hiddenSize % attentionHeadCount == 0 else {
            throw .invalidConfiguration(
                "hidden_size \(hiddenSize) is no multiple of num_attention_heads "
                    + "\(attentionHeadCount)")
        }
        guard layerNormEpsilon.isFinite, layerNormEpsilon >= 0, layerNormEpsilon < 1 else {
            throw .invalidConfiguration("layer_norm_eps \(layerNormEpsilon) is not within 0 and 1")
        }
    }

    private static func check(
        _ value: Int, _ range: ClosedRange<Int>, _ name: String
    ) throws(TransformerError) {
        guard range.contains(value) else {
            throw .invalidConfiguration(
                "\(name) \(value) is not within \(range.lowerBound) and \(range.upperBound)")
        }
    }
}
