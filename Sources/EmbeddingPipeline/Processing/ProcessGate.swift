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

    func enter(alone: Bool) {
        if alone { state.withLock { $0.waitingAlone += 1 } }
        _ = state.wait { state -> Bool? in
            guard !state.isAlone, alone ? state.count == 0 : state.waitingAlone == 0 else {
                return nil
            }
            state.count += 1
            state.isAlone = alone
            if alone { state.waitingAlone -= 1 }
            return true
        }
    }

    func leave() {
        state.withLock { state in
            state.count -= 1
            state.isAlone = false
        }
        state.notifyAll()
    }
}
