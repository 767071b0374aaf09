import Transformer

/// Decides whether a batch may start, by what the process has in memory and may have.
package struct MemoryGovernor: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// Where the figures come from, in bytes.
    package struct Readings: Sendable {
        /// What the process has in memory.
        package var resident: @Sendable () -> Int
        /// What it could still take.
        package var available: @Sendable () -> Int

        package init(
            resident: @escaping @Sendable () -> Int, available: @escaping @Sendable () -> Int
        ) {
            self.resident = resident
            self.available = available
        }

        package static let system = Readings(
            resident: { ProcessMemory.resident }, available: { ProcessMemory.available })
    }

    let budget: MemoryBudget
    private let readings: Readings
    /// The ceiling of the resident set, in bytes.
    package private(set) var ceiling: Int
    private var resident: Int
    /// The bytes of each worker's workspace.
    package var workspaceByteCounts: [Int]
    /// What batches that have started will take, beyond what their workers have.
    private var pendingByteCounts: [Int]
    /// Workers that shall give their workspace back.
    private var releases: [Bool]
    private var lastReading: Instant?
    private var lastCeiling: Instant?
    private var lastRelease: Instant?

    /// Batches that start over the threshold have at most so many tokens, or one text.
    package static let shrunkTokenCount = 64

    package enum Verdict {
        case fits
        /// Not so many tokens, for want of memory.
        case shrink
    }

    package init(_ budget: MemoryBudget, workerCount: Int, _ readings: Readings = .system) {
        self.budget = budget
        self.readings = readings
        resident = readings.resident()
        ceiling = budget.ceiling(resident: resident, available: readings.available())
        workspaceByteCounts = .init(repeating: 0, count: workerCount)
        pendingByteCounts = .init(repeating: 0, count: workerCount)
        releases = .init(repeating: false, count: workerCount)
    }

    /// Reads anew what time has changed.
    package mutating func refresh(now: Instant) {
        if lastReading.map({ now - $0 > .milliseconds(20) }) ?? true {
            lastReading = now
            resident = readings.resident()
        }
        guard budget.ceiling == nil, lastCeiling.map({ now - $0 > .seconds(1) }) ?? true else {
            return
        }
        lastCeiling = now
        ceiling = budget.ceiling(resident: resident, available: readings.available())
    }

    /// Whether a batch may start on a worker now.
    ///
    /// - Parameters:
    ///   - isAlone: whether no other worker has work: then one text goes on in any case, since
    ///     waiting would not help it.
    package func verdict(
        worker: Int, tokens: Int, longest: Int, _ cost: CostModel, isAlone: Bool
    ) -> Verdict {
        let growth = growth(worker, tokens, longest, cost)
        let total = resident + pendingByteCounts.reduce(growth, +)
        if Double(total) <= budget.threshold * Double(ceiling) { return .fits }
        let isOneText = tokens == longest
        if growth == 0, isOneText || tokens <= Self.shrunkTokenCount { return .fits }
        return isOneText && (total <= ceiling || isAlone) ? .fits : .shrink
    }

    private func growth(_ worker: Int, _ tokens: Int, _ longest: Int, _ cost: CostModel) -> Int {
        let needed = cost.workspaceByteCount(tokens: tokens, longest: longest)
        let has = workspaceByteCounts[worker]
        return max(0, needed - has) + (has == 0 ? cost.workerByteCount : 0)
    }

    package mutating func begin(worker: Int, _ tokens: Int, _ longest: Int, _ cost: CostModel) {
        pendingByteCounts[worker] = growth(worker, tokens, longest, cost)
    }

    package mutating func end(worker: Int, _ workspaceByteCount: Int) {
        pendingByteCounts[worker] = 0
        workspaceByteCounts[worker] = workspaceByteCount
        // What was to come is there now.
        lastReading = nil
    }

    /// Whether so much is in memory that what can be spared must go; at most once a second.
    package func isReleaseDue(now: Instant) -> Bool {
        Double(resident) > MemoryBudget.releaseShare * Double(ceiling)
            && (lastRelease.map { now - $0 > .seconds(1) } ?? true)
    }

    package mutating func release(now: Instant) {
        lastRelease = now
        for worker in releases.indices { releases[worker] = workspaceByteCounts[worker] > 0 }
    }

    /// Whether a worker shall give its workspace back; asked once.
    package mutating func takeRelease(_ worker: Int) -> Bool {
        guard releases[worker] else { return false }
        releases[worker] = false
        workspaceByteCounts[worker] = 0
        return true
    }
}
