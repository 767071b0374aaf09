import KernelInterface
import Kernels

/// One forward pass of the `simd` backend.
///
/// Two ways through a layer, with the same bits, since every element is one chain of multiply-adds
/// in a fixed order:
/// - *by rows*, for many tokens: a block of rows goes through all linear layers while it stays in the
///   second cache, the feed-forward layers in chunks of their width;
/// - *by columns*, for few: each thread reads its own share of the weights, and reads it once.
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

    let encoder: BertEncoder
    let batch: PackedBatch
    let workspace: EncoderWorkspace
    let tap: EncoderTap?
    let team: EncoderTeam
    let profile: EncoderProfile?
    let tokens: Int  // T
    let width: Int  // H
    let inner: Int  // I
    let kernels: KernelSet
    let hidden: UnsafeMutablePointer<Float>  // [T, H]
    let projected: UnsafeMutablePointer<Float>  // [T, H]
    let qkv: UnsafeMutablePointer<Float>  // [T, 3H]
    let context: UnsafeMutablePointer<Float>  // [T, H]
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

    /// The weights that are read after those of a layer.
    func firstWeight(after layer: Int) -> PackedMatrix? {
        encoder.weights.layers.dropFirst(layer + 1).first?.qkvWeight
    }

    func run(_ count: Int, _ body: (Int, EncoderScratch) -> Void) {
        let longest = batch.longestSequence
        let configuration = encoder.configuration
        team.run(count, workspace.scratch) { part, scratch in
            // A helper's first part of the batch.
            scratch.reserve(longest: longest, configuration)
            body(part, scratch)
        }
    }

    func part(
        _ weight: PackedMatrix, _ panels: Range<Int>? = nil, rows: Range<Int>? = nil,
        next: UnsafePointer<Float>? = nil
    ) -> Linear.Part {
        Linear.Part(
            weight: weight.elements, inner: weight.inner, columns: weight.columns,
            panels: panels ?? 0..<weight.panelCount, rows: rows ?? 0..<weight.inner, next: next)
    }
}
