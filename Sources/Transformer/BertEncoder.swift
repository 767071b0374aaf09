import Kernels

/// The BERT encoder: packed token ids in, a pooled vector a sequence out.
///
/// Devlin et al. 2018, https://arxiv.org/abs/1810.04805. Immutable and shared by all threads; each
/// brings its own workspace.
///
/// Shapes: T tokens of all sequences, N sequences, L tokens of one, H hidden, A heads, D head size,
/// I intermediate.
public struct BertEncoder: Sendable {
    public let configuration: BertConfiguration
    public let weights: BertWeights
    public let pooling: PoolingMode

    public init(
        _ configuration: BertConfiguration, _ weights: BertWeights, pooling: PoolingMode
    ) {
        self.configuration = configuration
        self.weights = weights
        self.pooling = pooling
        _ = BLAS.useOneThread
    }

    /// What computes: the BLAS library, its version and kernels.
    public static var backendDescription: String { BLAS.description }

    /// The alignment of sequences with which the BLAS library gives each row of a product the same
    /// bits whatever else is in the batch; nil where it does not do so for any.
    ///
    /// Libraries compute rows by tiles, and a row's place in its tile decides the order of its sums.
    /// Measured on products of this model's shapes, in some ten milliseconds.
    public func measuredRowAlignment() -> Int? {
        let (hidden, inner) = (configuration.hiddenSize, configuration.intermediateSize)
        return RowAlignment.measure(shapes: [
            (hidden, 3 * hidden), (hidden, hidden), (hidden, inner), (inner, hidden),
        ])
    }

    /// Computes the pooled vectors of a batch.
    ///
    /// - Parameters:
    ///   - normalize: whether each vector is scaled to unit length.
    ///   - output: `[N, H]`, overwritten.
    /// - Throws: `TransformerError`: an id or a length out of range, or a result that is not
    ///   finite.
    public func forward(
        _ batch: PackedBatch, workspace: EncoderWorkspace, normalize: Bool,
        into output: UnsafeMutableBufferPointer<Float>, tap: EncoderTap? = nil
    ) throws(TransformerError) {
        guard batch.sequenceCount > 0, let out = output.baseAddress else { return }
        precondition(output.count == batch.sequenceCount * configuration.hiddenSize)
        try check(batch)
        workspace.reserve(
            tokens: batch.tokenCount, longest: batch.longestSequence, configuration)

        embed(batch, workspace)
        tap?.see(
            .hidden(0), batch.tokenCount, configuration.hiddenSize, workspace.hidden.pointer)
        for (index, layer) in weights.layers.enumerated() {
            attend(layer, index, batch, workspace, tap)
            addAttention(layer, index, batch.tokenCount, workspace, tap)
            feedForward(layer, index, batch.tokenCount, workspace, tap)
        }
        pool(batch, workspace, normalize: normalize, into: out)
        try checkFinite(output)
    }

    private func check(_ batch: PackedBatch) throws(TransformerError) {
        for id in batch.tokenIDs where id < 0 || id >= configuration.vocabularySize {
            throw .tokenOutOfRange(id: id, vocabularySize: configuration.vocabularySize)
        }
        for sequence in batch.sequences {
            guard (1...configuration.maximumPositionCount).contains(sequence.count) else {
                throw .sequenceLengthOutOfRange(
                    sequence.count, limit: configuration.maximumPositionCount)
            }
        }
    }

    /// hidden ← LN(word + token type + position)
    private func embed(_ batch: PackedBatch, _ workspace: EncoderWorkspace) {
        let width = configuration.hiddenSize
        let hidden = workspace.hidden.pointer
        let context = workspace.context.pointer
        for (n, sequence) in batch.sequences.enumerated() {
            for t in sequence {
                RowOperations.sum(
                    weights.wordEmbeddings + Int(batch.tokenIDs[t]) * width,
                    weights.tokenTypeEmbedding,
                    weights.positionEmbeddings + (t - sequence.lowerBound) * width,
                    into: hidden + t * width, width: width)
            }
            // Rows between aligned sequences are computed with the rest and looked at by nobody.
            let next =
                n + 1 < batch.sequenceCount
                ? batch.sequences[n + 1].lowerBound : batch.tokenCount
            let padding = (next - sequence.upperBound) * width
            (hidden + sequence.upperBound * width).update(repeating: 0, count: padding)
            (context + sequence.upperBound * width).update(repeating: 0, count: padding)
        }
        LayerNorm.apply(
            hidden, gain: weights.embeddingNormGain, shift: weights.embeddingNormShift,
            epsilon: configuration.layerNormEpsilon, rows: batch.tokenCount, width: width)
    }

    /// context ← softmax(Q Kᵀ / √D) V, a sequence and head at a time
    private func attend(
        _ layer: BertWeights.Layer, _ index: Int, _ batch: PackedBatch,
        _ workspace: EncoderWorkspace, _ tap: EncoderTap?
    ) {
        let width = configuration.hiddenSize
        let headSize = configuration.headSize
        let qkv = workspace.qkv.pointer
        let scores = workspace.scores.pointer
        BLAS.linear(
            workspace.hidden.pointer, layer.qkvWeight, into: qkv, rows: batch.tokenCount,
            inner: width, columns: 3 * width)
        RowOperations.add(
            bias: layer.qkvBias, to: qkv, rows: batch.tokenCount, width: 3 * width)
        tap?.see(.qkv(layer: index), batch.tokenCount, 3 * width, qkv)

        let scale = 1 / Float(headSize).squareRoot()
        for (n, sequence) in batch.sequences.enumerated() {
            let (start, length) = (sequence.lowerBound, sequence.count)
            for head in 0..<configuration.attentionHeadCount {
                let query = qkv + start * 3 * width + head * headSize
                BLAS.scores(
                    query, query + width, into: scores, length: length, headSize: headSize,
                    stride: 3 * width, scale: scale)
                Softmax.apply(scores, rows: length, width: length)
                tap?.see(
                    .attention(layer: index, sequence: n, head: head), length, length, scores)
                BLAS.context(
                    scores, query + 2 * width,
                    into: workspace.context.pointer + start * width + head * headSize,
                    length: length, headSize: headSize, stride: 3 * width, contextStride: width)
            }
        }
        tap?.see(.context(layer: index), batch.tokenCount, width, workspace.context.pointer)
    }

    /// projected ← LN(context Wᵀ + b + hidden)
    private func addAttention(
        _ layer: BertWeights.Layer, _ index: Int, _ tokens: Int, _ workspace: EncoderWorkspace,
        _ tap: EncoderTap?
    ) {
        let width = configuration.hiddenSize
        BLAS.linear(
            workspace.context.pointer, layer.attentionOutputWeight,
            into: workspace.projected.pointer, rows: tokens, inner: width, columns: width)
        LayerNorm.apply(
            workspace.projected.pointer, bias: layer.attentionOutputBias,
            residual: workspace.hidden.pointer, gain: layer.attentionNormGain,
            shift: layer.attentionNormShift, epsilon: configuration.layerNormEpsilon,
            rows: tokens, width: width)
        tap?.see(.attentionOutput(layer: index), tokens, width, workspace.projected.pointer)
    }

    /// hidden ← LN(GELU(projected W₁ᵀ + b₁) W₂ᵀ + b₂ + projected)
    private func feedForward(
        _ layer: BertWeights.Layer, _ index: Int, _ tokens: Int, _ workspace: EncoderWorkspace,
        _ tap: EncoderTap?
    ) {
        let width = configuration.hiddenSize
        let inner = configuration.intermediateSize
        let intermediate = workspace.intermediate.pointer
        BLAS.linear(
            workspace.projected.pointer, layer.intermediateWeight, into: intermediate,
            rows: tokens, inner: width, columns: inner)
        GELU.apply(intermediate, bias: layer.intermediateBias, rows: tokens, width: inner)
        tap?.see(.intermediate(layer: index), tokens, inner, intermediate)
        BLAS.linear(
            intermediate, layer.outputWeight, into: workspace.hidden.pointer, rows: tokens,
            inner: inner, columns: width)
        LayerNorm.apply(
            workspace.hidden.pointer, bias: layer.outputBias,
            residual: workspace.projected.pointer, gain: layer.outputNormGain,
            shift: layer.outputNormShift, epsilon: configuration.layerNormEpsilon, rows: tokens,
            width: width)
        tap?.see(.hidden(index + 1), tokens, width, workspace.hidden.pointer)
    }

    private func pool(
        _ batch: PackedBatch, _ workspace: EncoderWorkspace, normalize: Bool,
        into out: UnsafeMutablePointer<Float>
    ) {
        let width = configuration.hiddenSize
        for (n, sequence) in batch.sequences.enumerated() {
            let rows = sequence.count
            let x = workspace.hidden.pointer + sequence.lowerBound * width
            let vector = out + n * width
            switch pooling {
            case .mean: Pooling.mean(x, rows: rows, width: width, into: vector)
            case .max: Pooling.max(x, rows: rows, width: width, into: vector)
            case .cls: vector.update(from: x, count: width)
            }
            if normalize { Pooling.normalize(vector, width: width) }
        }
    }

    private func checkFinite(
        _ output: UnsafeMutableBufferPointer<Float>
    ) throws(TransformerError) {
        // x * 0 is 0 for every finite x and NaN for the rest.
        let sum = output.reduce(Float(0)) { $0 + $1 * 0 }
        guard sum != 0 else { return }
        let bad = output.firstIndex { !$0.isFinite } ?? 0
        throw .nonFiniteOutput(sequence: bad / configuration.hiddenSize)
    }
}
