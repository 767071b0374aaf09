// Jobs come, and go by themselves at their deadlines.
extension EmbedderCore {
    /// Names jobs that were over before they began; the scheduler counts from 1.
    private static let overJobID: JobID = 0

    /// - Throws: `EmbeddingError.noThreads`.
    func submit(
        _ job: EmbeddingJob, window: Int, _ receiver: any EmbeddingJobReceiver
    ) throws(EmbeddingError) -> JobID {
        let record = JobRecord(job, window: window, model, receiver)
        if let deadline = job.deadline, deadline <= .now {
            record.finish(.deadlineExceeded)
            return Self.overJobID
        }
        let description = BatchScheduler.Job(
            textByteCounts: job.texts.map(\.utf8.count), priority: job.priority,
            deadline: job.deadline, isTokenizedOnly: job.purpose != .embed)
        let id = try state.withLock { state throws(EmbeddingError) in
            guard state.workerCount > 0 else { throw .noThreads }
            let id = state.scheduler.submit(description, now: .now)
            if !job.texts.isEmpty { state.jobs[id] = record }
            return id
        }
        if job.texts.isEmpty { record.finish(.finished) }
        if job.texts.count == 1 { state.notifyOne() } else { state.notifyAll() }
        if let deadline = job.deadline { keepTime(deadline) }
        return id
    }

    func cancel(_ id: JobID) {
        let record = state.withLock { state in
            state.scheduler.cancel(id)
            return state.jobs.removeValue(forKey: id)
        }
        record?.finish(.cancelled)
        // What waited behind the job may fit now.
        state.notifyAll()
    }

    private func expire() {
        let records = state.withLock { state in
            state.scheduler.expire(now: .now).compactMap { state.jobs.removeValue(forKey: $0) }
        }
        for record in records { record.finish(.deadlineExceeded) }
        // What waited behind the jobs may fit now.
        if !records.isEmpty { state.notifyAll() }
    }

    private func keepTime(_ deadline: Instant) {
        let starts = timer.withLock { timer in
            timer.next = min(timer.next ?? deadline, deadline)
            defer { timer.isRunning = true }
            return !timer.isRunning
        }
        timer.notifyAll()
        if starts, !Threads.start({ self.runTimer() }) {
            timer.withLock { $0.isRunning = false }
        }
    }

    private func runTimer() {
        while true {
            let armed = timer.withLock(\.next)
            let hasStopped = timer.wait(timeout: armed.map { max($0 - .now, .zero) }) { timer in
                // An earlier deadline than the one that is waited for: wait anew.
                if timer.isStopped || timer.next != armed { return timer.isStopped }
                if let armed, armed <= .now { return false }
                return nil
            }
            if hasStopped == true { return }
            guard let armed, armed <= .now else { continue }
            timer.withLock { timer in
                if timer.next == armed { timer.next = nil }
            }
            expire()
            if let next = state.withLock({ $0.scheduler.nextDeadline() }) {
                timer.withLock { $0.next = min($0.next ?? next, next) }
            }
        }
    }
}
