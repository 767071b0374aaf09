#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A line on a terminal's stderr that says how far the work is: a bar with rate and time to go.
///
/// Nothing is shown where stderr is no terminal, nor in the first half second.
struct Progress {
    private let isShown: Bool
    /// Bytes of all input; nil when that cannot be known.
    private let total: Int?
    private let start = ContinuousClock.now
    private var last: ContinuousClock.Instant
    private var hasDrawn = false

    init(total: Int?, isQuiet: Bool) {
        isShown = !isQuiet && StandardError.isTerminal
        self.total = total
        last = start + .milliseconds(400)
    }

    var elapsed: Duration { ContinuousClock.now - start }

    mutating func update(texts: Int, tokens: Int, bytes: Int) {
        let now = ContinuousClock.now
        guard isShown, now - last > .milliseconds(100) else { return }
        last = now
        hasDrawn = true
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
        StandardError.write(line)
    }

    /// Clears the line and, on a terminal, says what was done.
    func finish(texts: Int, tokens: Int) {
        if hasDrawn { StandardError.write("\r\u{1B}[K") }
        guard isShown, hasDrawn else { return }
        let rate = Double(texts) / max(elapsed.seconds, 1e-9)
        StandardError.write(
            "\(texts) texts, \(tokens) tokens in \(elapsed.short) (\(rate.fixed(1)) texts/s)\n")
    }
}
