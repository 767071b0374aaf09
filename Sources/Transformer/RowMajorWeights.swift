/// The linear layers' weights as a BLAS library takes them: `[out, in]`, row-major, in memory of this
/// process.
final class RowMajorWeights: Sendable {
    struct Layer: Sendable {
        let qkv: [Float]  // [3H, H]
        let attentionOutput: [Float]  // [H, H]
        let intermediate: [Float]  // [I, H]
        let output: [Float]  // [H, I]
    }

    let layers: [Layer]

    init(_ weights: BertWeights) {
        layers = weights.layers.map {
            Layer(
                qkv: $0.qkvWeight.rowMajor(),
                attentionOutput: $0.attentionOutputWeight.rowMajor(),
                intermediate: $0.intermediateWeight.rowMajor(),
                output: $0.outputWeight.rowMajor())
        }
    }

    /// What they take, in bytes.
    static func byteCount(_ c: BertConfiguration) -> Int {
        c.layerCount * (4 * c.hiddenSize + 2 * c.intermediateSize) * c.hiddenSize * 4
    }
}
