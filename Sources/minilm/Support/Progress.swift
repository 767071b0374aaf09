import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A line on a terminal's stderr that says how far the work is: a bar with rate and time to go.
///
/// Nothing is shown where stderr is no terminal, nor in the first half second.
final class Progress: Sendable {
    private let isShown: Bool
    /// Bytes of all input; nil when that cannot be known.
    private let total: Int?
    private let start = ContinuousClock.now
    private let state: Mutex<State>

    private struct State {
        var texts = 0
        var tokens = 0
        /// Bytes of the texts that are done, and of those in work.
        var doneBytes = 0
        var chunkBytes = 0
        var chunkTexts = 0
        var chunkDone = 0
        var last: ContinuousClock.Instant
        var hasDrawn = false
    }

    init(total: Int?, isQuiet: Bool) {
        isShown = !isQuiet && StandardError.isTerminal
        self.total = total
        state = Mutex(State(last: start + .milliseconds(400)))
    }

    private var elapsed: Duration { ContinuousClock.now - start }

    /// The next chunk of texts is in work; `readBytes` counts the input up to its end.
    func begin(texts: Int, readBytes: Int) {
        state.withLock { state in
            state.doneBytes += state.chunkBytes
            state.chunkBytes = readBytes - state.doneBytes
            state.chunkTexts = texts
            state.chunkDone = 0
        }
    }

    /// Some texts of the chunk are done.
    func add(texts: Int, tokens: Int) {
        state.withLock { state in
            state.texts += texts
            state.tokens += tokens
            state.chunkDone += texts
            let now = ContinuousClock.now
            guard isShown, now - state.last > .milliseconds(100) else { return }
            state.last = now
            state.hasDrawn = true
            draw(state)
        }
    }

    private func draw(_ state: State) {
        let (texts, tokens) = (state.texts, state.tokens)
        let bytes = state.doneBytes + state.chunkBytes * state.chunkDone / max(1, state.chunkTexts)
        let seconds = max(elapsed.seconds, 1e-9)
        let rate = Double(texts) / seconds
        var line = "\r\u{1B}[K"
        if let total, total > 0, bytes > 0 {
            let share = min(1, Double(bytes) / Double(total))
            let filled = Int(share * 24)
            line += "[" + String(repeating: "#", count: filled)
            line += String(repeating: ".", count: 24 - filled) + "] \((share * 100).fixed(0)) %  "
            let left = Duration.seconds(seconds * (1 - share) / share)
            line +=
                "\(texts) texts  \(rate.fixed(0))/s  \(Int(Double(tokens) / seconds)) tokens/s  "
            line += "\(left.short) to go"
        } else {
            line +=
                "\(texts) texts  \(rate.fixed(0))/s  \(Int(Double(tokens) / seconds)) tokens/s  "
            line += elapsed.short
        }
        StandardError.print(line)
    }

    /// Clears the line and, on a terminal, says what was done.
    func finish() {
        let state = state.withLock { $0 }
        guard state.hasDrawn else { return }
        let rate = Double(state.texts) / max(elapsed.seconds, 1e-9)
        let tokens = state.tokens > 0 ? ", \(state.tokens) tokens" : ""
        StandardError.print(
            "\r\u{1B}[K\(state.texts) texts\(tokens) in \(elapsed.short) "
                + "(\(rate.fixed(1)) texts/s)\n")
    }
}
