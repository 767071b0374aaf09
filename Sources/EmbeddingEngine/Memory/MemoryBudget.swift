/// How much memory the process may have, and what happens on the way there.
public struct MemoryBudget: Sendable, Equatable {
    /// A fixed ceiling of the resident set in bytes; nil for half of what the machine or the cgroup
    /// has available, read anew as it changes.
    public var ceiling: Int?
    /// The share of the ceiling over which batches shrink.
    public var threshold = 0.8
    /// The share of the ceiling over which workspaces and caches are given back.
    public static let releaseShare = 0.85

    public init(ceiling: Int? = nil, threshold: Double = 0.8) {
        self.ceiling = ceiling
        self.threshold = threshold
    }

    /// The ceiling now.
    ///
    /// - Parameters:
    ///   - resident: what the process has already.
    ///   - available: what it could still take.
    package func ceiling(resident: Int, available: Int) -> Int {
        ceiling ?? (resident + available / 2)
    }
}
