import Histogram
import Synchronization

/// What the server did since its start: requests by method and outcome, and how long they took.
final class ServerStatistics: Sendable {
    struct Snapshot {
        let start = ContinuousClock.now
        var succeeded: [RPCMethod: Int] = [:]
        /// Requests that were answered with an error, by its code.
        var failed: [Int: Int] = [:]
        /// Microseconds from a line's arrival to its answer.
        var latencies: [RPCMethod: Histogram<UInt32>] = [:]
        var latencySums: [RPCMethod: Double] = [:]
        var lineCount = 0
        var cancellationCount = 0
    }

    private let state = Mutex(Snapshot())

    var snapshot: Snapshot { state.withLock { $0 } }

    func count(_ method: RPCMethod, _ duration: Duration) {
        let microseconds = UInt64(max(0, duration.seconds * 1e6))
        state.withLock { state in
            state.succeeded[method, default: 0] += 1
            state.latencies[method, default: Self.newHistogram()].record(
                min(microseconds, Self.longest))
            state.latencySums[method, default: 0] += duration.seconds
        }
    }

    func count(_ error: RPCError) {
        state.withLock { $0.failed[error.code, default: 0] += 1 }
    }

    func countLine() { state.withLock { $0.lineCount += 1 } }
    func countCancellation() { state.withLock { $0.cancellationCount += 1 } }

    /// A day, in microseconds.
    private static let longest: UInt64 = 86_400_000_000

    private static func newHistogram() -> Histogram<UInt32> {
        Histogram(
            lowestDiscernibleValue: 1, highestTrackableValue: longest,
            numberOfSignificantValueDigits: .two)
    }
}
