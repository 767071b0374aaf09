import Kernels

/// The forward pass in double precision and plain loops, a text at a time: what the fast one is
/// measured against.
///
/// Slow (a second for some forty tokens), the same everywhere: no BLAS, no vector units, no
/// threads.
public struct ReferenceEncoder {
    private let configuration: BertConfiguration
    private let weights: BertWeights
    private let pooling: PoolingMode

    public init(_ encoder: BertEncoder) {
        configuration = encoder.configuration
        weights = encoder.weights
        pooling = encoder.pooling
    }

    /// The pooled vector `[H]` of one sequence.
    public func forward(_ tokenIDs: [Int32], normalize: Bool) -> [Double] {
        let length = tokenIDs.count
        let width = configuration.hiddenSize
        var hidden: [Double] = []
        for (position, id) in tokenIDs.enumerated() {
            let row = (0..<width).map { i in
                Double(weights.wordEmbeddings[Int(id) * width + i])
                    + Double(weights.tokenTypeEmbedding[i])
                    + Double(weights.positionEmbeddings[position * width + i])
            }
            hidden += norm(row, weights.embeddingNormGain, weights.embeddingNormShift)
        }
        for layer in weights.layers {
            let context = attention(layer, hidden, length)
            let attended = addAndNorm(
                linear(context, layer.attentionOutputWeight, layer.attentionOutputBias, length),
                hidden, layer.attentionNormGain, layer.attentionNormShift)
            let intermediate = linear(
                attended, layer.intermediateWeight, layer.intermediateBias, length
            ).map(GELU.reference)
            hidden = addAndNorm(
                linear(intermediate, layer.outputWeight, layer.outputBias, length), attended,
                layer.outputNormGain, layer.outputNormShift)
        }
        let pooled =
            switch pooling {
            case .mean: Pooling.meanReference(hidden, rows: length, width: width)
            case .max: Pooling.maxReference(hidden, rows: length, width: width)
            case .cls: Array(hidden[..<width])
            }
        return normalize ? Pooling.normalizeReference(pooled) : pooled
    }

    private func attention(
        _ layer: BertWeights.Layer, _ hidden: [Double], _ length: Int
    ) -> [Double] {
        let width = configuration.hiddenSize
        let headSize = configuration.headSize
        let qkv = linear(hidden, layer.qkvWeight, layer.qkvBias, length)
        let scale = 1 / Double(headSize).squareRoot()
        var context = [Double](repeating: 0, count: length * width)
        for head in 0..<configuration.attentionHeadCount {
            for i in 0..<length {
                let scores = (0..<length).map { j in
                    (0..<headSize).reduce(0.0) { sum, d in
                        let column = head * headSize + d
                        return sum + qkv[i * 3 * width + column]
                            * qkv[j * 3 * width + width + column]
                    } * scale
                }
                for (j, probability) in Softmax.reference(scores).enumerated() {
                    for d in 0..<headSize {
                        let column = head * headSize + d
                        context[i * width + column] +=
                            probability * qkv[j * 3 * width + 2 * width + column]
                    }
                }
            }
        }
        return context
    }

    private func linear(
        _ x: [Double], _ weight: PackedMatrix, _ bias: BertWeights.Tensor, _ rows: Int
    ) -> [Double] {
        let columns = weight.columns
        var y = MatrixProduct.reference(
            x, weight: { Double(weight[$0, $1]) }, rows: rows, inner: weight.inner,
            columns: columns)
        for i in y.indices { y[i] += Double(bias[i % columns]) }
        return y
    }

    private func addAndNorm(
        _ x: [Double], _ residual: [Double], _ gain: BertWeights.Tensor,
        _ shift: BertWeights.Tensor
    ) -> [Double] {
        let width = configuration.hiddenSize
        var out: [Double] = []
        for start in stride(from: 0, to: x.count, by: width) {
            out += norm((start..<start + width).map { x[$0] + residual[$0] }, gain, shift)
        }
        return out
    }

    private func norm(
        _ row: [Double], _ gain: BertWeights.Tensor, _ shift: BertWeights.Tensor
    ) -> [Double] {
        LayerNorm.reference(
            row, gain: row.indices.map { Double(gain[$0]) },
            shift: row.indices.map { Double(shift[$0]) },
            epsilon: Double(configuration.layerNormEpsilon))
    }
}
