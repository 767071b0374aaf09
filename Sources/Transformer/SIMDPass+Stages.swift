import KernelInterface
import Kernels

// What both ways share.
extension SIMDPass {
    /// hidden ← LN(word + token type + position)
    func embed(_ rows: Range<Int>) {
        let weights = encoder.weights
        for sequence in batch.sequences where sequence.overlaps(rows) {
            for t in sequence.clamped(to: rows) {
                RowOperations.sum(
                    weights.wordEmbeddings + Int(batch.tokenIDs[t]) * width,
                    weights.tokenTypeEmbedding,
                    weights.positionEmbeddings + (t - sequence.lowerBound) * width,
                    into: hidden + t * width, width: width)
            }
        }
        kernels.norm(
            hidden + rows.lowerBound * width, weights.embeddingNormGain,
            weights.embeddingNormShift, encoder.configuration.layerNormEpsilon, rows.count, width)
    }

    /// context ← softmax(Q Kᵀ / √D) V, a sequence and head at a time
    func attend() {
        let heads = encoder.configuration.attentionHeadCount
        let sequences = batch.sequences
        // Long sequences are divided where there are fewer heads than threads could take.
        let wanted = team.memberCount > 1 ? 3 * team.memberCount : 1
        let divisions = max(1, min(wanted / (heads * sequences.count), tokens / 48))
        run(sequences.count * heads * divisions) { part, scratch in
            let sequence = sequences[part / divisions / heads]
            let (division, length) = (part % divisions, sequence.count)
            let rows = division * length / divisions..<(division + 1) * length / divisions
            attend(sequence, part / divisions % heads, rows, scratch, nil)
        }
    }

    func attend(
        _ sequence: Range<Int>, _ head: Int, _ rows: Range<Int>, _ scratch: EncoderScratch,
        _ probabilities: UnsafeMutablePointer<Float>?
    ) {
        let size = encoder.configuration.headSize
        let query = qkv + sequence.lowerBound * 3 * width + head * size
        kernels.attention(
            Attention.Head(
                query: query, key: query + width, value: query + 2 * width, stride: 3 * width,
                length: sequence.count, size: size), rows, scratch.attention.pointer,
            context + sequence.lowerBound * width + head * size, width, probabilities)
    }

    func normalizeAttention(_ rows: Range<Int>, _ layer: BertWeights.Layer) {
        let start = rows.lowerBound * width
        profile.measure(.normalization) {
            kernels.residualNorm(
                projected + start, layer.attentionOutputBias, hidden + start,
                layer.attentionNormGain,
                layer.attentionNormShift, encoder.configuration.layerNormEpsilon, rows.count, width)
        }
    }

    func normalizeOutput(_ rows: Range<Int>, _ layer: BertWeights.Layer) {
        let start = rows.lowerBound * width
        profile.measure(.normalization) {
            kernels.residualNorm(
                hidden + start, layer.outputBias, projected + start, layer.outputNormGain,
                layer.outputNormShift, encoder.configuration.layerNormEpsilon, rows.count, width)
        }
    }
}
