import KernelInterface
import Kernels

// Many tokens: a block of rows goes through all linear layers while it stays in the second cache.
extension SIMDPass {
    func computeByRows() {
        let layers = encoder.weights.layers
        let blocks = blocks()
        run(blocks.count) { part, scratch in
            profile.measure(.embedding) { embed(blocks[part]) }
            project(blocks[part], layers[0], scratch)
        }
        for (index, layer) in layers.enumerated() {
            profile.measure(.attention) { attend() }
            run(blocks.count) { part, scratch in
                let rows = blocks[part]
                addAttention(rows, layer, scratch)
                profile.measure(.feedForward) {
                    feedForwardInChunks(rows, layer, scratch, next: firstWeight(after: index))
                }
                normalizeOutput(rows, layer)
                if index + 1 < layers.count { project(rows, layers[index + 1], scratch) }
            }
        }
    }

    /// Blocks of rows of about one size, as many for each thread.
    private func blocks() -> [Range<Int>] {
        let least = (tokens + Self.blockRowCount - 1) / Self.blockRowCount
        let members = team.memberCount
        let count = (least + members - 1) / members * members
        return (0..<count).map { n in
            n * tokens / count..<(n + 1) * tokens / count
        }
    }

    /// hidden ← GELU(projected W₁ᵀ + b₁) W₂ᵀ
    ///
    /// - Parameter next: the weights of the next product.
    private func feedForwardInChunks(
        _ rows: Range<Int>, _ layer: BertWeights.Layer, _ scratch: EncoderScratch,
        next: PackedMatrix?
    ) {
        let between = scratch.intermediate.pointer
        let output = hidden + rows.lowerBound * width
        let chunkWidth = Self.chunkWidth(encoder.configuration)
        for start in stride(from: 0, to: inner, by: chunkWidth) {
            let chunk = start..<min(start + chunkWidth, inner)
            let panels =
                chunk.lowerBound / Panels.width..<Panels.count(columns: chunk.upperBound)
            // The chunk's first column stands at the start of `between`.
            kernels.linear(
                projected + rows.lowerBound * width, width, rows.count,
                part(
                    layer.intermediateWeight, panels,
                    next: layer.outputWeight.elements + start * Panels.width),
                layer.intermediateBias, 0, true,
                between - start, chunkWidth, scratch.narrow.pointer)
            kernels.linear(
                between, chunkWidth, rows.count,
                part(
                    layer.outputWeight, rows: chunk,
                    next: chunk.upperBound < inner
                        ? layer.intermediateWeight.panel(panels.upperBound) : next?.elements),
                start == 0 ? nil : UnsafePointer(output), width, false, output, width,
                scratch.narrow.pointer)
        }
    }

    /// qkv ← hidden Wᵀ + b
    private func project(
        _ rows: Range<Int>, _ layer: BertWeights.Layer, _ scratch: EncoderScratch
    ) {
        profile.measure(.qkv) {
            kernels.linear(
                hidden + rows.lowerBound * width, width, rows.count,
                part(layer.qkvWeight, next: layer.attentionOutputWeight.elements),
                layer.qkvBias, 0, false, qkv + rows.lowerBound * 3 * width, 3 * width,
                scratch.narrow.pointer)
        }
    }

    /// projected ← LN(context Wᵀ + b + hidden)
    private func addAttention(
        _ rows: Range<Int>, _ layer: BertWeights.Layer, _ scratch: EncoderScratch
    ) {
        profile.measure(.attentionOutput) {
            kernels.linear(
                context + rows.lowerBound * width, width, rows.count,
                part(layer.attentionOutputWeight, next: layer.intermediateWeight.elements),
                nil, 0, false,
                projected + rows.lowerBound * width, width, scratch.narrow.pointer)
        }
        normalizeAttention(rows, layer)
    }
}
