import Transformer

/// What one thread computes with: its workspace and its output.
final class EmbedderWorker: @unchecked Sendable {  // one thread's own
    let index: Int
    let workspace = EncoderWorkspace()
    private let model: EmbeddingModel
    /// Computes each batch so that a text's bits do not depend on it; nil for as fast as can be.
    private let reproducible: Reproducible?
    /// `[N, H]`, not normalized.
    private var output: [Float] = []
    private var tokenCounts: [Int] = []

    /// How batches are laid out for equal bits.
    struct Reproducible {
        /// The alignment of sequences; nil where only a sequence alone is safe.
        var alignment: Int?
        /// The rows of a pass, padding included; a longer single sequence is a pass of its own.
        var rowCount: Int
    }

    init(_ index: Int, _ model: EmbeddingModel, _ reproducible: Reproducible?) {
        self.index = index
        self.model = model
        self.reproducible = reproducible
    }

    /// The pooled vector of a sequence of the last batch, valid until the next.
    func vector(_ row: Int) -> UnsafeBufferPointer<Float> {
        let width = model.dimension
        return output.withUnsafeBufferPointer {
            UnsafeBufferPointer(rebasing: $0[row * width..<(row + 1) * width])
        }
    }

    func tokenCount(_ row: Int) -> Int { tokenCounts[row] }

    func releaseMemory() {
        workspace.removeAll()
        output = []
    }

    /// Computes the vectors of a batch.
    ///
    /// - Parameter team: threads that help.
    /// - Returns: for each sequence, why it has none. A sequence whose vector is not finite does
    ///   not harm its neighbours.
    func compute(_ sequences: [[Int32]], _ team: EncoderTeam? = nil) -> [EmbeddingError?] {
        tokenCounts = sequences.map(\.count)
        let width = model.dimension
        if output.count < sequences.count * width {
            output = [Float](repeating: 0, count: sequences.count * width)
        }
        var errors = [EmbeddingError?](repeating: nil, count: sequences.count)
        for pass in passes(sequences) where forward(sequences[pass], team) != nil {
            for n in pass { errors[n] = forward(sequences[n...n], team).map(EmbeddingError.model) }
        }
        return errors
    }

    /// What is computed at once: all, unless padding or equal bits ask for less.
    private func passes(_ sequences: [[Int32]]) -> [Range<Int>] {
        guard let reproducible else { return [sequences.indices] }
        var passes: [Range<Int>] = []
        var (start, rows) = (0, 0)
        for (n, sequence) in sequences.enumerated() {
            let count = PackedBatch.aligned(sequence.count, reproducible.alignment ?? 1)
            let isFull = reproducible.alignment == nil || rows + count > reproducible.rowCount
            if isFull, n > start {
                passes.append(start..<n)
                (start, rows) = (n, 0)
            }
            rows += count
        }
        return passes + [start..<sequences.count]
    }

    private func forward(
        _ sequences: ArraySlice<[Int32]>, _ team: EncoderTeam?
    ) -> TransformerError? {
        var packed = PackedBatch(alignment: reproducible?.alignment ?? 1)
        for ids in sequences { packed.append(ids) }
        let width = model.dimension
        return output.withUnsafeMutableBufferPointer { output in
            let rows = output[sequences.startIndex * width..<sequences.endIndex * width]
            do throws(TransformerError) {
                try model.encoder.forward(
                    packed, workspace: workspace, normalize: false,
                    into: UnsafeMutableBufferPointer(rebasing: rows), team: team)
                return nil
            } catch {
                return error
            }
        }
    }

    /// Measures what batches cost on this machine. The first pass also brings the weights into
    /// memory.
    ///
    /// - Parameters:
    ///   - mayGoOn: whether nobody waits; the passes after the first are left out otherwise.
    func calibrate(_ cost: inout CostModel, mayGoOn: () -> Bool) {
        let configuration = model.settings.configuration
        func measure(tokens: Int) -> Double {
            let start = ContinuousClock.now
            _ = compute([
                Array(repeating: 0, count: min(tokens, configuration.maximumPositionCount))
            ])
            return (ContinuousClock.now - start).seconds
        }
        let before = ProcessMemory.anonymous
        var short = measure(tokens: 16)
        let own = ProcessMemory.anonymous - before - workspace.byteCount
        cost.workerByteCount = max(0, own)
        cost.baseByteCount =
            ProcessMemory.resident - max(0, own) - workspace.byteCount
            + configuration.vocabularySize * configuration.hiddenSize * 4
        if cost.secondsPerToken == 0 { cost.secondsPerToken = short / 16 }
        guard mayGoOn() else { return }
        short = min(short, measure(tokens: 16))
        let long = measure(tokens: 64)
        cost.secondsPerToken = max((long - short) / 48, long / 640)
        cost.secondsPerBatch = max(0, long - 64 * cost.secondsPerToken)
    }
}

extension Duration {
    /// The duration in seconds.
    package var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
