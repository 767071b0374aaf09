import Transformer

/// What batches cost, in bytes and seconds.
///
/// The bytes of a workspace are counted exactly, as it allocates them. What a worker takes beside
/// that (the matrix library's buffers, its stack) and how long a batch takes is measured: once
/// before the first prediction, and time again with every batch.
public struct CostModel: Sendable, Equatable {
    public let configuration: BertConfiguration
    /// What computes.
    public let backend: Backend
    /// The resident set with the model mapped in full and nothing in work.
    public package(set) var baseByteCount = 0
    /// What a worker that has computed takes beside its workspace.
    public package(set) var workerByteCount = 0
    /// Seconds that a batch takes on one worker, whatever is in it.
    public package(set) var secondsPerBatch = 0.0
    public package(set) var secondsPerToken = 0.0

    package init(_ configuration: BertConfiguration, _ backend: Backend) {
        self.configuration = configuration
        self.backend = backend
    }

    /// The bytes of a batch's activations.
    package func workspaceByteCount(tokens: Int, longest: Int) -> Int {
        EncoderWorkspace.byteCount(
            tokens: tokens, longest: longest, configuration, backend)
    }

    /// Seconds that a batch takes on one worker.
    public func seconds(tokens: Int) -> Double {
        secondsPerBatch + secondsPerToken * Double(tokens)
    }

    /// Learns from a batch; the newest weigh most, so that a machine that slows down is noticed.
    package mutating func observe(tokens: Int, seconds: Double) {
        let rate = max(0, seconds - secondsPerBatch) / Double(max(1, tokens))
        // A small batch says little about the time a token.
        let weight = secondsPerToken == 0 ? 1 : min(0.1, Double(tokens) / 5120)
        secondsPerToken += weight * (rate - secondsPerToken)
    }
}
