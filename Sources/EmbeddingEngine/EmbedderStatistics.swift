/// What an embedder did since its start, and does now.
public struct EmbedderStatistics: Sendable, Equatable {
    /// Texts computed (those that shared another's computation or were cached are not among them),
    /// their tokens, and the batches that it took.
    public var textCount = 0
    public var tokenCount = 0
    public var batchCount = 0
    /// Seconds that workers computed, all together.
    public var computeSeconds = 0.0
    /// Texts that shared the computation of an identical one.
    public var sharedTextCount = 0
    /// Texts found in the cache, texts not found there, and its bytes.
    public var cacheHitCount = 0
    public var cacheMissCount = 0
    public var cacheByteCount = 0
    /// Jobs, texts and tokens that wait.
    public var jobCount = 0
    public var waitingTextCount = 0
    public var waitingTokenCount = 0
    /// Workers that compute or tokenize.
    public var busyWorkerCount = 0
    /// Batches that were made smaller, and times that memory was given back, for want of memory.
    public var shrunkBatchCount = 0
    public var releaseCount = 0

    public init() {}
}
