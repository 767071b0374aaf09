import EmbeddingPipeline
import Foundation
import Synchronization

/// How far a run over chunks is: a bar on a terminal, lines with the time elsewhere. On stderr.
final class WorkProgress: Sendable {
    private let isQuiet: Bool
    private let isTerminal: Bool
    private let state = Mutex(State())

    private struct State {
        var last: ContinuousClock.Instant?
        var hasDrawn = false
    }

    /// How often a line is written where stderr is no terminal.
    private static let lineInterval = Duration.seconds(10)
    private static let barInterval = Duration.milliseconds(100)

    init(isQuiet: Bool) {
        self.isQuiet = isQuiet
        isTerminal = StandardError.isTerminal
    }

    /// Shows how far the chunks are, now and then.
    func show(_ progress: ProcessingProgress) {
        let isEnd = progress.doneCount >= progress.totalCount
        show(
            done: progress.doneCount, total: progress.totalCount, unit: "chunks",
            detail: detail(progress), isEnd: isEnd)
    }

    private func detail(_ progress: ProcessingProgress) -> String {
        var detail = "\(progress.rate.fixed(1))/s"
        if let remaining = progress.remaining { detail += "  \(remaining.short) to go" }
        detail += "  memory \(Int((progress.memory.usedShare * 100).rounded())) %"
        if progress.failedCount > 0 { detail += "  \(progress.failedCount) failed" }
        return detail
    }

    /// Shows how far the reading of files is, now and then.
    func showFiles(_ done: Int, of total: Int) {
        show(done: done, total: total, unit: "files", detail: "", isEnd: done >= total)
    }

    /// Shows how far a look at all chunks is, now and then.
    func showChunks(_ done: Int, of total: Int) {
        show(done: done, total: total, unit: "chunks", detail: "", isEnd: done >= total)
    }

    private func show(done: Int, total: Int, unit: String, detail: String, isEnd: Bool) {
        guard !isQuiet else { return }
        let detail = detail.isEmpty ? "" : "  \(detail)"
        state.withLock { state in
            let now = ContinuousClock.now
            let interval = isTerminal ? Self.barInterval : Self.lineInterval
            if !isEnd, let last = state.last, now - last < interval { return }
            // The first line comes when there is something to say.
            if state.last == nil, !isEnd, !isTerminal {
                state.last = now
                return
            }
            state.last = now
            let share = total == 0 ? 1 : min(1, Double(done) / Double(total))
            if isTerminal {
                state.hasDrawn = true
                let filled = Int(share * 24)
                StandardError.print(
                    "\r\u{1B}[K[" + String(repeating: "#", count: filled)
                        + String(repeating: ".", count: 24 - filled)
                        + "] \((share * 100).fixed(0)) %  \(done) of \(total) \(unit)\(detail)")
            } else {
                StandardError.print(
                    "\(Self.timestamp)  \(done) of \(total) \(unit)  \((share * 100).fixed(1)) %\(detail)\n"
                )
            }
        }
    }

    /// Removes the bar.
    func finish() {
        let hasDrawn = state.withLock { state in
            defer { state = State() }
            return state.hasDrawn
        }
        if hasDrawn { StandardError.print("\r\u{1B}[K") }
    }

    private static var timestamp: String { Date().formatted(.iso8601) }
}
