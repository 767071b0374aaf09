import EmbeddingEngine
import Foundation
import Logging

/// Runs the tasks that are due, several at once, until it is asked to stop.
public final class Worker: Sendable {
    private let library: Library
    private let runner: TaskRunner
    private let options: Options
    private let logger: Logger
    private let state = Monitor(State())

    /// How long tasks that succeeded are remembered.
    private static let memory = Duration.seconds(7 * 24 * 3600)

    public struct Options: Sendable {
        /// Tasks at once.
        public var concurrency = 1
        /// How often the queue is looked at while nothing is due.
        public var pollInterval = Duration.seconds(1)
        /// Whether to end when no task is due any more.
        public var runsOnce = false
        public var jitter = RetrySchedule.Jitter.random

        public init() {}
    }

    /// What a worker has done.
    public struct Report: Sendable, Equatable {
        public var succeededCount = 0
        /// Runs that failed, to be tried again or not.
        public var failedCount = 0
        /// Runs that were given back.
        public var stoppedCount = 0
    }

    private struct State {
        var report = Report()
        /// Tasks that run now: they may queue more.
        var runningCount = 0
        var slotCount = 0
        var error: PipelineError?
    }

    public init(_ runner: TaskRunner, _ options: Options = Options(), logger: Logger) {
        library = runner.library
        var runner = runner
        runner.waitsForOthers = options.runsOnce
        self.runner = runner
        self.options = options
        self.logger = logger
    }

    /// Works until a stop is asked for, or, with `runsOnce`, until no task is due.
    ///
    /// - Throws: `PipelineError`: it cannot go on. While the library is locked or the disk is full
    ///   it waits instead, unless it runs once.
    public func run(isStopRequested: @escaping @Sendable () -> Bool) throws(PipelineError) -> Report
    {
        try library.recoverAbandoned()
        try library.enqueueForgotten()
        try library.removeSucceededTasks(before: library.clock.now - Self.memory.seconds)
        for _ in 0..<max(1, options.concurrency) {
            state.withLock { $0.slotCount += 1 }
            let hasStarted = Threads.start { [self] in
                work(isStopRequested)
                state.withLock { $0.slotCount -= 1 }
                state.notifyAll()
            }
            if !hasStarted { state.withLock { $0.slotCount -= 1 } }
        }
        let error = state.wait { $0.slotCount == 0 ? .some($0.error) : nil }
        if let error = error ?? nil { throw error }
        return state.withLock { $0.report }
    }

    private func work(_ isStopRequested: @escaping @Sendable () -> Bool) {
        let mayGoOn = { !isStopRequested() && self.state.withLock { $0.error == nil } }
        while mayGoOn() {
            do throws(PipelineError) {
                try library.recoverAbandoned()
                if try runNext(isStopRequested) { continue }
                if options.runsOnce, state.withLock({ $0.runningCount == 0 }) { return }
            } catch {
                if isStopRequested(), error.isPassing { return }
                if options.runsOnce || !error.isPassing {
                    state.withLock { $0.error = $0.error ?? error }
                    return
                }
                logger.error("the library cannot be used now", metadata: ["error": "\(error)"])
            }
            pause(mayGoOn)
        }
    }

    /// - Returns: false when no task is due.
    private func runNext(
        _ isStopRequested: @escaping @Sendable () -> Bool
    ) throws(PipelineError) -> Bool {
        state.withLock { $0.runningCount += 1 }
        defer { state.withLock { $0.runningCount -= 1 } }
        guard let lease = try library.leaseTask() else { return false }
        logger.info("task begins", metadata: lease.metadata)
        let end: Library.TaskEnd
        do throws(PipelineError) {
            end = try runner.run(lease, isStopRequested: isStopRequested)
        } catch {
            // Who ends now need not wait for the lock once more: the next worker sees that this
            // one is gone.
            let isLocked = error == .busy(path: library.path)
            if !isLocked || !options.runsOnce { record(lease, .stopped, isStopRequested) }
            throw error
        }
        record(lease, end, isStopRequested)
        state.withLock { state in
            switch end {
            case .succeeded: state.report.succeededCount += 1
            case .failed: state.report.failedCount += 1
            case .stopped, .waiting: state.report.stoppedCount += 1
            }
        }
        return true
    }

    /// Writes down how a task ended; while that cannot be written, it is tried again.
    private func record(
        _ lease: TaskLease, _ end: Library.TaskEnd, _ isStopRequested: () -> Bool
    ) {
        while true {
            do throws(PipelineError) {
                let isOurs = try library.endTask(lease, end, jitter: options.jitter)
                var metadata = lease.metadata
                if case .failed(let reason, _) = end { metadata["error"] = "\(reason)" }
                if !isOurs { metadata["error"] = "taken over by another worker" }
                logger.log(
                    level: metadata["error"] == nil ? .info : .warning, "task ends",
                    metadata: metadata)
                return
            } catch {
                logger.error(
                    "a task's end cannot be written", metadata: ["error": "\(error)"])
                // Another worker will find that this one is gone.
                if isStopRequested() || options.runsOnce || !error.isPassing { return }
                Pause.wait(options.pollInterval)
            }
        }
    }

    private func pause(_ mayGoOn: () -> Bool) {
        let end = ContinuousClock.now + options.pollInterval
        while mayGoOn(), ContinuousClock.now < end {
            Pause.wait(min(.milliseconds(100), options.pollInterval))
        }
    }
}

extension TaskLease {
    fileprivate var metadata: Logger.Metadata {
        [
            "task": "\(taskID)", "name": "\(name.rawValue)", "argument": "\(argument)",
            "attempt": "\(attempts)",
        ]
    }
}
