import KernelInterface
import Kernels

/// One forward pass of the `simd` backend.
///
/// Two ways through a layer, with the same bits, since every element is one chain of multiply-adds
/// in a fixed order:
/// - *by rows*, for many tokens: a block of rows goes through all linear layers while it stays in the
///   second cache, the feed-forward layers in chunks of their width;
/// - *by columns*, for few: each thread reads its own share of the weights, once, since reading them
///   is what takes the time.
///
/// Shapes: T tokens of all sequences, N sequences, L tokens of one, H hidden, A heads, I
/// intermediate.
struct SIMDPass {
    /// The rows of a block: whole tiles of six, 200 KB of activations a thread.
    static let blockRowCount = 120
    /// Whole panels.
    private static let widestChunk = 384

    /// The columns of a chunk between the feed-forward layers.
    static func chunkWidth(_ c: BertConfiguration) -> Int { min(widestChunk, c.intermediateSize) }
    /// The tokens up to which a pass goes by columns.
    static let columnTokenCount = 32

    private let encoder: BertEncoder
    private let batch: PackedBatch
    private let workspace: EncoderWorkspace
    private let tap: EncoderTap?
    private let team: EncoderTeam
    private let profile: EncoderProfile?
    private let tokens: Int  // T
    private let width: Int  // H
    private let inner: Int  // I
    private let kernels: KernelSet
    private let hidden: UnsafeMutablePointer<Float>  // [T, H]
    private let projected: UnsafeMutablePointer<Float>  // [T, H]
    private let qkv: UnsafeMutablePointer<Float>  // [T, 3H]
    private let context: UnsafeMutablePointer<Float>  // [T, H]
    private let goesByColumns: Bool

    /// The floats between the feed-forward layers that the batch's workspace holds.
    static func intermediateCount(tokens: Int, _ c: BertConfiguration) -> Int {
        min(tokens, columnTokenCount) * c.intermediateSize
    }

    init(
        _ encoder: BertEncoder, _ batch: PackedBatch, _ workspace: EncoderWorkspace,
        _ tap: EncoderTap?, _ team: EncoderTeam, _ profile: EncoderProfile?
    ) {
        self.encoder = encoder
        self.batch = batch
        self.workspace = workspace
        self.tap = tap
        self.team = team
        self.profile = profile
        tokens = batch.tokenCount
        width = encoder.configuration.hiddenSize
        inner = encoder.configuration.intermediateSize
        kernels = encoder.kernels
        // Who looks at the stages wants them whole.
        goesByColumns = tokens <= Self.columnTokenCount || tap != nil
        workspace.reserveForSIMD(
            tokens: tokens,
            intermediateCount: tap == nil
                ? Self.intermediateCount(tokens: tokens, encoder.configuration) : tokens * inner,
            scoreCount: tap == nil ? 0 : batch.longestSequence * batch.longestSequence,
            encoder.configuration)
        workspace.scratch.reserve(longest: batch.longestSequence, encoder.configuration)
        hidden = workspace.hidden.pointer
        projected = workspace.projected.pointer
        qkv = workspace.qkv.pointer
        context = workspace.context.pointer
    }

    /// hidden ← the last layer's hidden states
    func compute() {
        if goesByColumns {
            computeByColumns()
        } else {
            computeByRows()
        }
    }

    // MARK: - By rows

    private func computeByRows() {
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

    // MARK: - By columns

    private func computeByColumns() {
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

    /// The weights that are read after those of a layer.
    private func firstWeight(after layer: Int) -> PackedMatrix? {
        encoder.weights.layers.dropFirst(layer + 1).first?.qkvWeight
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

    // MARK: - Stages

    private func run(_ count: Int, _ body: (Int, EncoderScratch) -> Void) {
        let longest = batch.longestSequence
        let configuration = encoder.configuration
        team.run(count, workspace.scratch) { part, scratch in
            // A helper's first part of the batch.
            scratch.reserve(longest: longest, configuration)
            body(part, scratch)
        }
    }

    private func part(
        _ weight: PackedMatrix, _ panels: Range<Int>? = nil, rows: Range<Int>? = nil,
        next: UnsafePointer<Float>? = nil
    ) -> Linear.Part {
        Linear.Part(
            weight: weight.elements, inner: weight.inner, columns: weight.columns,
            panels: panels ?? 0..<weight.panelCount, rows: rows ?? 0..<weight.inner, next: next)
    }

    /// hidden ← LN(word + token type + position)
    private func embed(_ rows: Range<Int>) {
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

    /// context ← softmax(Q Kᵀ / √D) V, a sequence and head at a time
    private func attend() {
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

    private func attend(
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

    private func normalizeAttention(_ rows: Range<Int>, _ layer: BertWeights.Layer) {
        let start = rows.lowerBound * width
        profile.measure(.normalization) {
            kernels.residualNorm(
                projected + start, layer.attentionOutputBias, hidden + start,
                layer.attentionNormGain,
                layer.attentionNormShift, encoder.configuration.layerNormEpsilon, rows.count, width)
        }
    }

    private func normalizeOutput(_ rows: Range<Int>, _ layer: BertWeights.Layer) {
        let start = rows.lowerBound * width
        profile.measure(.normalization) {
            kernels.residualNorm(
                hidden + start, layer.outputBias, projected + start, layer.outputNormGain,
                layer.outputNormShift, encoder.configuration.layerNormEpsilon, rows.count, width)
        }
    }
}
