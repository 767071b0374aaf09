import KernelInterface

// Few tokens: each thread reads its own share of the weights, once.
extension SIMDPass {
    func computeByColumns() {
        let all = 0..<tokens
        profile.measure(.embedding) { embed(all) }
        tap?.see(.hidden(0), tokens, width, hidden)
        for (index, layer) in encoder.weights.layers.enumerated() {
            profile.measure(.qkv) {
                multiply(
                    hidden, layer.qkvWeight, layer.qkvBias, into: qkv,
                    next: layer.attentionOutputWeight)
            }
            tap?.see(.qkv(layer: index), tokens, 3 * width, qkv)
            profile.measure(.attention) {
                if let tap { attend(tap, layer: index) } else { attend() }
            }
            profile.measure(.attentionOutput) {
                multiply(
                    context, layer.attentionOutputWeight, nil, into: projected,
                    next: layer.intermediateWeight)
            }
            normalizeAttention(all, layer)
            tap?.see(.attentionOutput(layer: index), tokens, width, projected)
            let between = workspace.intermediate.pointer
            profile.measure(.feedForward) {
                multiply(
                    projected, layer.intermediateWeight, layer.intermediateBias, isGELU: true,
                    into: between, next: layer.outputWeight)
                tap?.see(.intermediate(layer: index), tokens, inner, between)
                multiply(
                    between, layer.outputWeight, nil, into: hidden, next: firstWeight(after: index))
            }
            normalizeOutput(all, layer)
            tap?.see(.hidden(index + 1), tokens, width, hidden)
        }
    }

    /// y ← x Wᵀ + bias, the panels divided among the threads
    ///
    /// - Parameter next: the weights of the next product.
    private func multiply(
        _ x: UnsafeMutablePointer<Float>, _ weight: PackedMatrix,
        _ bias: UnsafePointer<Float>?, isGELU: Bool = false, into y: UnsafeMutablePointer<Float>,
        next: PackedMatrix?
    ) {
        let shares = shares(weight)
        run(shares.count) { n, scratch in
            kernels.linear(
                x, weight.inner, tokens,
                part(weight, shares[n], next: following(n, shares, weight, next)), bias, 0, isGELU,
                y, weight.columns, scratch.narrow.pointer)
        }
    }

    /// What a thread reads after a share: the leader goes through them from the front, helpers from the
    /// back; halfway they meet, and each begins with the next weights.
    private func following(
        _ n: Int, _ shares: Shares, _ weight: PackedMatrix, _ next: PackedMatrix?
    ) -> UnsafePointer<Float>? {
        let middle = shares.count / 2
        if shares.count == 1 || n + 1 == middle { return next?.elements }
        if n + 1 < middle { return weight.panel(shares[n + 1].lowerBound) }
        if n > middle { return weight.panel(shares[n - 1].lowerBound) }
        return next.map {
            let shares = self.shares($0)
            return $0.panel(shares[shares.count - 1].lowerBound)
        }
    }

    /// Ranges of about one size.
    private struct Shares {
        let itemCount: Int
        let count: Int

        subscript(n: Int) -> Range<Int> {
            n * itemCount / count..<(n + 1) * itemCount / count
        }
    }

    /// Some for each thread, so that one that comes late takes fewer.
    private func shares(_ weight: PackedMatrix) -> Shares {
        let panels = weight.panelCount
        let members = team.memberCount
        return Shares(itemCount: panels, count: members > 1 ? min(panels, 4 * members) : 1)
    }

    private func attend(_ tap: EncoderTap, layer: Int) {
        for (n, sequence) in batch.sequences.enumerated() {
            for head in 0..<encoder.configuration.attentionHeadCount {
                let scores = workspace.scores.pointer
                attend(sequence, head, 0..<sequence.count, workspace.scratch, scores)
                tap.see(
                    .attention(layer: layer, sequence: n, head: head), sequence.count,
                    sequence.count, scores)
            }
        }
        tap.see(.context(layer: layer), tokens, width, context)
    }
}
