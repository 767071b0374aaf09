import EmbeddingEngine

/// Runs something at intervals on a thread of its own.
final class Heartbeat: Sendable {
    private let interval: Duration
    private let isStopped = Monitor(false)

    init(interval: Duration) { self.interval = interval }

    /// - Parameters:
    ///   - beat: false ends the thread.
    func start(_ beat: @escaping @Sendable () -> Bool) {
        let (interval, isStopped) = (interval, isStopped)
        _ = Threads.start {
            while isStopped.wait(timeout: interval, { $0 ? true : nil }) == nil, beat() {}
        }
    }

    func stop() {
        isStopped.withLock { $0 = true }
        isStopped.notifyAll()
    }
}
