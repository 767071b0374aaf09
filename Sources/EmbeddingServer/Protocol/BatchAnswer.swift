import Synchronization

/// The answer to a batch array: an array of its requests' answers, sent when all are there.
final class BatchAnswer: Sendable {
    private let output: OutputQueue
    private let state: Mutex<State>

    private struct State {
        var answers: [[ArraySlice<UInt8>]?] = []
        var onEnds: [@Sendable () -> Void] = []
        var missingCount = 0
        var isComplete = false
    }

    init(_ output: OutputQueue) {
        self.output = output
        state = Mutex(State())
    }

    /// Makes room for one more answer.
    func reserve() -> Int {
        state.withLock { state in
            state.answers.append(nil)
            state.missingCount += 1
            return state.answers.count - 1
        }
    }

    /// No more answers are to be expected than were reserved. A batch of notifications alone has
    /// none, and is not answered.
    func complete() {
        state.withLock { $0.isComplete = true }
        sendIfWhole()
    }

    func send(_ index: Int, _ answer: [ArraySlice<UInt8>], onEnd: (@Sendable () -> Void)?) {
        state.withLock { state in
            state.answers[index] = answer
            if let onEnd { state.onEnds.append(onEnd) }
            state.missingCount -= 1
        }
        sendIfWhole()
    }

    private func sendIfWhole() {
        let whole = state.withLock { state -> State? in
            guard state.isComplete, state.missingCount == 0, !state.answers.isEmpty else {
                return nil
            }
            defer { state = State() }
            return state
        }
        guard let whole else { return }
        var pieces: [ArraySlice<UInt8>] = []
        for (index, answer) in whole.answers.enumerated() {
            pieces.append([UInt8(ascii: index == 0 ? "[" : ",")])
            pieces += answer ?? []
        }
        pieces.append([UInt8(ascii: "]"), 0x0A])
        output.enqueue(OutputLine(pieces) { for onEnd in whole.onEnds { onEnd() } })
    }
}
