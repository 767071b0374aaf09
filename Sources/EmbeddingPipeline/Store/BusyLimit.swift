import EmbeddingEngine
import Synchronization

/// How long a connection waits for others that have the library locked.
final class BusyLimit: Sendable {
    /// The time between two tries, on average.
    private static let interval = Duration.milliseconds(2)
    private static let brief = Int(Duration.milliseconds(500) / interval)
    private let value: Atomic<Int>

    init(_ timeout: Duration) { value = Atomic(Int(timeout / Self.interval)) }

    /// Tries before giving up.
    var tries: Int { value.load(ordering: .relaxed) }

    /// Runs something on the connection that gives up soon.
    func withBriefLimit(_ body: () throws -> Void) rethrows {
        let tries = value.exchange(Self.brief, ordering: .relaxed)
        defer { value.store(tries, ordering: .relaxed) }
        try body()
    }
}
