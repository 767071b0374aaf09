import EmbeddingEngine

/// How full the memory is that this process may use.
public struct MemoryState: Sendable, Equatable {
    /// What could still be taken, in bytes.
    public var available: Int
    /// The share in use, 0 to 1.
    public var usedShare: Double

    public init(available: Int, usedShare: Double) {
        self.available = available
        self.usedShare = usedShare
    }

    /// The state below several limits: the tightest counts.
    public init(_ limits: [ProcessMemory.Limit]) {
        available = limits.map(\.available).min() ?? .max
        usedShare =
            limits.map { 1 - Double($0.available) / Double(max(1, $0.limit)) }.max() ?? 0
    }
}

/// Where the state of memory comes from, so that tests can set it.
public protocol MemoryReading: Sendable {
    func state() -> MemoryState
}

/// The least of cgroup v2, cgroup v1 and `/proc/meminfo`.
public struct SystemMemory: MemoryReading {
    public init() {}
    public func state() -> MemoryState { MemoryState(ProcessMemory.limits) }
}
