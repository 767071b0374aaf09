import Synchronization

/// How long a connection waits for others that have the library locked.
///
/// The time between two tries counts for little however long it was: a process that was stopped,
/// or a machine that slept or is overloaded, had no chance to try.
package final class BusyLimit: Sendable {
    package typealias Instant = ContinuousClock.Instant

    private static let brief = Duration.milliseconds(500)
    /// What the time between two tries counts for, at most; the pause between them is of some
    /// milliseconds.
    private static let longestStep = Duration.milliseconds(50)
    private let state: Mutex<State>

    private struct State {
        var limit: Duration
        var waited = Duration.zero
        var last = Instant.now
    }

    package init(_ timeout: Duration) { state = Mutex(State(limit: timeout)) }

    /// Whether to try once more.
    ///
    /// - Parameters:
    ///   - tryCount: the tries of this wait so far.
    package func allows(tryCount: Int, now: Instant = .now) -> Bool {
        state.withLock { state in
            state.waited =
                tryCount == 0 ? .zero : state.waited + min(now - state.last, Self.longestStep)
            state.last = now
            return state.waited < state.limit
        }
    }

    /// Runs something on the connection that gives up soon.
    func withBriefLimit(_ body: () throws -> Void) rethrows {
        let limit = exchange(Self.brief)
        defer { _ = exchange(limit) }
        try body()
    }

    private func exchange(_ limit: Duration) -> Duration {
        state.withLock { state in
            defer { state.limit = limit }
            return state.limit
        }
    }
}
