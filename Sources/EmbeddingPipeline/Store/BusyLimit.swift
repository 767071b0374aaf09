import Synchronization

/// How long a connection waits for others that have the library locked.
final class BusyLimit: Sendable {
    private static let brief = Duration.milliseconds(500)
    private let state: Mutex<State>

    private struct State {
        var limit: Duration
        var start = ContinuousClock.now
    }

    init(_ timeout: Duration) { state = Mutex(State(limit: timeout)) }

    /// Whether to try once more.
    ///
    /// - Parameters:
    ///   - tryCount: the tries of this wait so far.
    func allows(tryCount: Int) -> Bool {
        state.withLock { state in
            if tryCount == 0 { state.start = .now }
            return ContinuousClock.now - state.start < state.limit
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
