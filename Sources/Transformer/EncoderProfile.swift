/// Where the time of forward passes goes, by stage. For one thread: stages of several overlap.
public final class EncoderProfile {
    public enum Stage: Int, Sendable, CaseIterable {
        /// Embeddings and their LayerNorm.
        case embedding
        /// Queries, keys and values.
        case qkv
        /// Scores, softmax and context.
        case attention
        /// Attention's output layer.
        case attentionOutput
        /// The two feed-forward layers, and GELU between them.
        case feedForward
        /// Residuals and LayerNorm.
        case normalization
        /// Pooling and the vector's length.
        case pooling
    }

    /// Seconds, a stage.
    public private(set) var seconds = [Double](repeating: 0, count: Stage.allCases.count)

    public init() {}

    func add(_ stage: Stage, since start: ContinuousClock.Instant) {
        let (whole, part) = (ContinuousClock.now - start).components
        seconds[stage.rawValue] += Double(whole) + Double(part) * 1e-18
    }
}

extension EncoderProfile? {
    /// Runs `body` on a stage's account.
    @inline(__always)
    func measure(_ stage: EncoderProfile.Stage, _ body: () -> Void) {
        guard let self else { return body() }
        let start = ContinuousClock.now
        body()
        self.add(stage, since: start)
    }
}
