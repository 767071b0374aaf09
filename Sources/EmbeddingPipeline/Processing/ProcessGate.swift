import EmbeddingEngine

/// Lets many have chunks in work, or one alone: what ends the process then is no other's fault.
public final class ProcessGate: Sendable {
    private let state = Monitor(State())

    private struct State {
        var count = 0
        var isAlone = false
        var waitingAlone = 0
    }

    public init() {}

    /// Waits to have chunks in work. Only for who has none: two that wait for each other to leave
    /// would wait for ever.
    ///
    /// - Returns: false when a stop was asked for instead.
    package func enter(alone: Bool, isStopRequested: () -> Bool) -> Bool {
        if alone { state.withLock { $0.waitingAlone += 1 } }
        defer {
            if alone {
                state.withLock { $0.waitingAlone -= 1 }
                state.notifyAll()
            }
        }
        while !isStopRequested() {
            let hasEntered = state.wait(timeout: .milliseconds(100)) { state -> Bool? in
                guard !state.isAlone, alone ? state.count == 0 : state.waitingAlone == 0 else {
                    return nil
                }
                state.count += 1
                state.isAlone = alone
                return true
            }
            if hasEntered == true { return true }
        }
        return false
    }

    /// Takes more chunks into work where nobody waits to be alone.
    package func tryEnter() -> Bool {
        state.withLock { state in
            guard !state.isAlone, state.waitingAlone == 0 else { return false }
            state.count += 1
            return true
        }
    }

    package func leave() {
        state.withLock { state in
            state.count -= 1
            state.isAlone = false
        }
        state.notifyAll()
    }
}
