/// How far a run is.
public struct ProcessingProgress: Sendable {
    /// Chunks that are done, those that have failed included.
    public var doneCount: Int
    public var failedCount: Int
    public var totalCount: Int
    /// Tokens of the chunks that are done, as they were counted when they were cut.
    public var doneTokenCount: Int
    public var totalTokenCount: Int
    /// Batches that were handed over so far.
    public var batchCount: Int
    /// As read before the last batch.
    public var memory: MemoryState
    public var elapsed: Duration

    /// Chunks a second since the start.
    public var rate: Double { Double(doneCount) / max(elapsed.seconds, 1e-9) }

    /// The time to go, by the tokens done so far; nil before the first are.
    public var remaining: Duration? {
        guard doneTokenCount > 0 else { return nil }
        let left = Double(max(0, totalTokenCount - doneTokenCount)) / Double(doneTokenCount)
        return .seconds(elapsed.seconds * left)
    }
}

/// What a run did.
public struct ProcessingReport: Sendable, Equatable {
    /// Vectors that were computed and stored.
    public var completedCount = 0
    /// Vectors of equal texts that served again.
    public var reusedCount = 0
    /// Chunks that were edited, deleted or taken over while they were in work.
    public var supersededCount = 0
    /// Chunks in need that others have in work.
    public var elsewhereCount = 0
    public var failures: [Failure] = []
    /// Chunks that have failed as copies of the texts of ``failures``.
    public var failedCopyCount = 0
    public var isStopped = false

    /// Chunks that have failed, copies included.
    public var failedCount: Int { failures.count + failedCopyCount }

    /// A chunk that has failed in this run.
    public struct Failure: Sendable, Equatable {
        public var chunkID: Int64
        public var materialID: Int64
        public var reason: String
        /// Whether another try may help.
        public var isPassing: Bool
    }
}
