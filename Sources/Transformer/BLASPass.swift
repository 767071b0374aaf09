import KernelInterface
import Kernels

/// One forward pass of the `openblas` backend: a product over all tokens a linear layer, attention a
/// sequence and head at a time, on one thread.
///
/// Shapes: T tokens of all sequences, L tokens of one, H hidden, I intermediate.
struct BLASPass {
    private let encoder: BertEncoder
    private let rowMajor: RowMajorWeights
    private let batch: PackedBatch
    private let tap: EncoderTap?
    private let profile: EncoderProfile?
    private let tokens: Int  // T
    private let width: Int  // H
    private let inner: Int  // I
    private let kernels: KernelSet
    private let hidden: UnsafeMutablePointer<Float>  // [T, H]
    private let projected: UnsafeMutablePointer<Float>  // [T, H]
    private let qkv: UnsafeMutablePointer<Float>  // [T, 3H]
    private let context: UnsafeMutablePointer<Float>  // [T, H]
    private let intermediate: UnsafeMutablePointer<Float>  // [T, I]
    private let scores: UnsafeMutablePointer<Float>  // [L, L]

    init(
        _ encoder: BertEncoder, _ rowMajor: RowMajorWeights, _ batch: PackedBatch,
        _ workspace: EncoderWorkspace, _ tap: EncoderTap?, _ profile: EncoderProfile?
    ) {
        self.encoder = encoder
        self.rowMajor = rowMajor
        self.batch = batch
        self.tap = tap
        self.profile = profile
        tokens = batch.tokenCount
        width = encoder.configuration.hiddenSize
        inner = encoder.configuration.intermediateSize
        kernels = encoder.kernels
        workspace.reserveForBLAS(
            tokens: tokens, longest: batch.longestSequence, encoder.configuration)
        hidden = workspace.hidden.pointer
        projected = workspace.projected.pointer
        qkv = workspace.qkv.pointer
        context = workspace.context.pointer
        intermediate = workspace.intermediate.pointer
        scores = workspace.scores.pointer
    }

    /// hidden ← the last layer's hidden states
    func compute() {
        profile.measure(.embedding) { embed() }
        tap?.see(.hidden(0), tokens, width, hidden)
        for (index, (layer, rows)) in zip(encoder.weights.layers, rowMajor.layers).enumerated() {
            project(layer, rows, index)
            profile.measure(.attention) { attend(index) }
            addAttention(layer, rows, index)
            feedForward(layer, rows, index)
        }
    }

    /// hidden ← LN(word + token type + position)
    private func embed() {
        let weights = encoder.weights
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
                n + 1 < batch.sequenceCount ? batch.sequences[n + 1].lowerBound : tokens
            let padding = (next - sequence.upperBound) * width
            (hidden + sequence.upperBound * width).update(repeating: 0, count: padding)
            (context + sequence.upperBound * width).update(repeating: 0, count: padding)
        }
        kernels.norm(
            hidden, weights.embeddingNormGain, weights.embeddingNormShift,
            encoder.configuration.layerNormEpsilon, tokens, width)
    }

    /// qkv ← hidden Wᵀ + b
    private func project(_ layer: BertWeights.Layer, _ rows: RowMajorWeights.Layer, _ index: Int) {
        profile.measure(.qkv) {
            BLAS.linear(hidden, rows.qkv, into: qkv, rows: tokens, inner: width, columns: 3 * width)
            RowOperations.add(bias: layer.qkvBias, to: qkv, rows: tokens, width: 3 * width)
        }
        tap?.see(.qkv(layer: index), tokens, 3 * width, qkv)
    }

    /// context ← softmax(Q Kᵀ / √D) V, a sequence and head at a time
    private func attend(_ index: Int) {
        let headSize = encoder.configuration.headSize
        let scale = 1 / Float(headSize).squareRoot()
        for (n, sequence) in batch.sequences.enumerated() {
            let (start, length) = (sequence.lowerBound, sequence.count)
            for head in 0..<encoder.configuration.attentionHeadCount {
                let query = qkv + start * 3 * width + head * headSize
                BLAS.scores(
                    query, query + width, into: scores, length: length, headSize: headSize,
                    stride: 3 * width, scale: scale)
                kernels.softmax(scores, length, length)
                tap?.see(
                    .attention(layer: index, sequence: n, head: head), length, length, scores)
                BLAS.context(
                    scores, query + 2 * width, into: context + start * width + head * headSize,
                    length: length, headSize: headSize, stride: 3 * width, contextStride: width)
            }
        }
        tap?.see(.context(layer: index), tokens, width, context)
    }

    /// projected ← LN(context Wᵀ + b + hidden)
    private func addAttention(
        _ layer: BertWeights.Layer, _ rows: RowMajorWeights.Layer, _ index: Int
    ) {
        profile.measure(.attentionOutput) {
            BLAS.linear(
                context, rows.attentionOutput, into: projected, rows: tokens, inner: width,
                columns: width)
        }
        profile.measure(.normalization) {
            kernels.residualNorm(
                projected, layer.attentionOutputBias, hidden, layer.attentionNormGain,
                layer.attentionNormShift, encoder.configuration.layerNormEpsilon, tokens, width)
        }
        tap?.see(.attentionOutput(layer: index), tokens, width, projected)
    }

    /// hidden ← LN(GELU(projected W₁ᵀ + b₁) W₂ᵀ + b₂ + projected)
    private func feedForward(
        _ layer: BertWeights.Layer, _ rows: RowMajorWeights.Layer, _ index: Int
    ) {
        profile.measure(.feedForward) {
            BLAS.linear(
                projected, rows.intermediate, into: intermediate, rows: tokens, inner: width,
                columns: inner)
            kernels.gelu(intermediate, layer.intermediateBias, tokens, inner)
            tap?.see(.intermediate(layer: index), tokens, inner, intermediate)
            BLAS.linear(
                intermediate, rows.output, into: hidden, rows: tokens, inner: inner,
                columns: width)
        }
        profile.measure(.normalization) {
            kernels.residualNorm(
                hidden, layer.outputBias, projected, layer.outputNormGain, layer.outputNormShift,
                encoder.configuration.layerNormEpsilon, tokens, width)
        }
        tap?.see(.hidden(index + 1), tokens, width, hidden)
    }
}
