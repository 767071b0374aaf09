import Kernels
import Synchronization
import Tokenization
import Transformer

/// The shell around ``BatchScheduler``: its threads, its memory, its clock.
final class EmbedderCore: Sendable {
    typealias Instant = ContinuousClock.Instant
    typealias JobID = BatchScheduler.JobID

    private let model: EmbeddingModel
    private let configuration: Embedder.Configuration
    private let state: Monitor<State>
    /// When the next deadline is; the timekeeper waits for it.
    private let timer = Monitor<Timer>(Timer())

    private struct Timer {
        var next: Instant?
        var isRunning = false
        var isStopped = false
    }

    private struct State {
        var scheduler: BatchScheduler
        var jobs: [JobID: JobRecord] = [:]
        var cache: VectorCache
        var memory: MemoryGovernor
        var cost: CostModel
        var calibration = Calibration.none
        var isStopped = false
        var workerCount = 0
        var isBusy: [Bool]
        var statistics = EmbedderStatistics()
        /// The batch that idle workers help with.
        var team: EncoderTeam?
    }

    private enum Calibration {
        case none
        /// As soon as there is nothing else to do.
        case wantedWhenIdle
        /// Somebody waits for it.
        case wanted
        case running, done
    }

    private enum Assignment {
        case calibrate
        case tokenize([(record: JobRecord, range: BatchScheduler.TextRange)])
        /// With the team that may help, if any.
        case compute([BatchScheduler.BatchEntry], EncoderTeam?)
        case help(EncoderTeam)
        /// Give the workspace back.
        case release
        case stop
    }

    init(_ model: EmbeddingModel, _ configuration: Embedder.Configuration) {
        self.model = model
        self.configuration = configuration
        var limits = BatchScheduler.Limits()
        limits.batchTokenCount = configuration.batchTokenCount
        limits.workerCount = configuration.threadCount
        // Threads that can compute one batch together do so with a small one.
        if model.encoder.usesTeams { limits.splitTokenCount = 64 }
        let cost = CostModel(model.settings.configuration, model.encoder.backend)
        state = Monitor(
            State(
                scheduler: BatchScheduler(limits),
                cache: VectorCache(byteLimit: configuration.cacheByteCount),
                memory: MemoryGovernor(
                    configuration.memory, workerCount: configuration.threadCount),
                cost: cost, isBusy: .init(repeating: false, count: configuration.threadCount)))
    }

    // MARK: - Threads

    func start() {
        let reproducible =
            configuration.isReproducible
            ? EmbedderWorker.Reproducible(
                alignment: model.encoder.measuredRowAlignment(),
                rowCount: configuration.batchTokenCount) : nil
        for worker in 0..<configuration.threadCount {
            let byteCount = AddressSpace.byteCountPerWorker(model.encoder.backend)
            guard AddressSpace.hasRoom(for: (worker + 1) * byteCount) else { return }
            state.withLock { $0.workerCount += 1 }
            // Each has its own memory.
            let hasStarted = Threads.start {
                self.run(EmbedderWorker(worker, self.model, reproducible))
            }
            if !hasStarted { state.withLock { $0.workerCount -= 1 } }
        }
    }

    func stop() {
        let records = state.withLock { state in
            state.isStopped = true
            defer { state.jobs = [:] }
            return state.jobs.values
        }
        state.notifyAll()
        for record in records { record.finish(.cancelled) }
        timer.withLock { $0.isStopped = true }
        timer.notifyAll()
    }

    func releaseMemory() {
        state.withLock { $0.memory.release(now: .now) }
        state.notifyAll()
        ProcessMemory.releaseFreeMemory()
    }

    private func run(_ worker: EmbedderWorker) {
        while true {
            switch nextAssignment(worker) {
            case .calibrate: calibrate(worker)
            case .tokenize(let ranges): tokenize(ranges)
            case .compute(let batch, let team): compute(batch, worker, team)
            case .help(let team): help(team, worker)
            case .release:
                worker.releaseMemory()
                ProcessMemory.releaseFreeMemory()
            case .stop: return
            }
        }
    }

    private func calibrate(_ worker: EmbedderWorker) {
        let isInDemand = { self.state.withLock { $0.scheduler.jobCount > 0 || $0.isStopped } }
        // What computed before must not count as what the engine takes with nothing in work.
        worker.releaseMemory()
        var cost = state.withLock(\.cost)
        worker.calibrate(&cost, mayGoOn: { !isInDemand() })
        state.withLock { state in
            let others = state.memory.workspaceByteCounts.enumerated()
                .reduce(0) { $1.offset == worker.index ? $0 : $0 + $1.element }
            cost.baseByteCount = max(0, cost.baseByteCount - others - state.cache.byteCount)
            state.cost = cost
            state.memory.workspaceByteCounts[worker.index] = worker.workspace.byteCount
            state.calibration = .done
        }
        state.notifyAll()
    }

    private func nextAssignment(_ worker: EmbedderWorker) -> Assignment {
        let assignment = state.wait { state -> Assignment? in
            state.isBusy[worker.index] = false
            if state.isStopped { return .stop }
            if state.calibration == .wanted
                || state.calibration == .wantedWhenIdle && state.scheduler.jobCount == 0
                    && !state.isBusy.contains(true)
            {
                state.calibration = .running
                state.isBusy[worker.index] = true
                return .calibrate
            }
            let now = Instant.now
            state.memory.refresh(now: now)
            if state.memory.takeRelease(worker.index) { return .release }
            if state.memory.isReleaseDue(now: now) {
                state.memory.release(now: now)
                state.cache.evict(to: state.cache.byteCount / 2)
                state.statistics.releaseCount += 1
                _ = state.memory.takeRelease(worker.index)
                self.state.notifyAll()
                return .release
            }
            let idleCount = state.workerCount - state.isBusy.count { $0 }
            let (memory, cost) = (state.memory, state.cost)
            let isAlone = !state.isBusy.contains(true)
            var isShrunk = false
            let work = state.scheduler.next(now: now, idleWorkers: idleCount) {
                let verdict = memory.verdict(
                    worker: worker.index, tokens: $0, longest: $1, cost, isAlone: isAlone)
                isShrunk = isShrunk || verdict == .shrink
                return verdict == .fits
            }
            guard let work else {
                guard let team = state.team else { return nil }
                state.isBusy[worker.index] = true
                return .help(team)
            }
            state.isBusy[worker.index] = true
            switch work {
            case .tokenize(let ranges):
                return .tokenize(
                    ranges.compactMap { range in state.jobs[range.job].map { ($0, range) } })
            case .compute(let batch):
                if isShrunk { state.statistics.shrunkBatchCount += 1 }
                let tokens = batch.reduce(0) { $0 + $1.ids.count }
                let longest = batch.reduce(0) { max($0, $1.ids.count) }
                state.memory.begin(worker: worker.index, tokens, longest, cost)
                guard idleCount > 1 else { return .compute(batch, nil) }
                // More may wait than this worker takes; where nothing does, the others help.
                if state.scheduler.waitingTextCount > 0 {
                    self.state.notifyOne()
                    return .compute(batch, nil)
                }
                guard model.encoder.usesTeams, state.team == nil else {
                    return .compute(batch, nil)
                }
                let team = EncoderTeam(memberCount: idleCount)
                state.team = team
                self.state.notifyAll()
                return .compute(batch, team)
            }
        }
        return assignment ?? .stop
    }

    // MARK: - Jobs

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

    // MARK: - Work

    private func tokenize(_ ranges: [(record: JobRecord, range: BatchScheduler.TextRange)]) {
        for (record, range) in ranges {
            var texts: [BatchScheduler.Tokenized] = []
            var results: [EmbeddingJob.TextResult] = []
            for index in range.indices {
                switch record.tokenize(index, model.tokenizer) {
                case .ids(let ids): texts.append(.ids(ids))
                case .result(let value):
                    texts.append(.finished)
                    results.append(.init(index: index, value: value))
                }
            }
            let cached = hand(over: &texts, of: range)
            record.deliver(results)
            for (index, ids, vector) in cached {
                record.deliver(vector, tokenCount: ids.count, index: index)
            }
        }
    }

    /// Tells the scheduler of tokenized texts; those that the cache knows are returned.
    private func hand(
        over texts: inout [BatchScheduler.Tokenized], of range: BatchScheduler.TextRange
    ) -> [(index: Int, ids: [Int32], vector: [Float])] {
        state.withLock { state in
            var cached: [(Int, [Int32], [Float])] = []
            if state.cache.isEnabled {
                for n in texts.indices {
                    guard case .ids(let ids) = texts[n], let vector = state.cache.vector(ids) else {
                        continue
                    }
                    texts[n] = .finished
                    cached.append((range.indices.lowerBound + n, ids, vector))
                }
            }
            state.scheduler.tokenized(range.job, from: range.indices.lowerBound, texts)
            if !state.scheduler.contains(range.job) { state.jobs[range.job] = nil }
            return cached
        }
    }

    private func help(_ team: EncoderTeam, _ worker: EmbedderWorker) {
        team.help(worker.workspace)
        state.withLock {
            $0.memory.workspaceByteCounts[worker.index] = worker.workspace.byteCount
        }
    }

    private func compute(
        _ batch: [BatchScheduler.BatchEntry], _ worker: EmbedderWorker, _ team: EncoderTeam?
    ) {
        let start = Instant.now
        let failures = worker.compute(batch.map(\.ids), team)
        let seconds = (Instant.now - start).seconds
        let tokens = batch.reduce(0) { $0 + $1.ids.count }
        let deliveries = state.withLock { state in
            if team != nil { state.team = nil }
            let texts = state.scheduler.completed(batch.map(\.sequence))
            let deliveries = texts.map { $0.map { (state.jobs[$0.job], $0.index) } }
            for text in texts.joined() where !state.scheduler.contains(text.job) {
                state.jobs[text.job] = nil
            }
            if state.cache.isEnabled {
                for (n, entry) in batch.enumerated() where failures[n] == nil {
                    state.cache.insert(entry.ids, Array(worker.vector(n)))
                }
            }
            state.memory.end(worker: worker.index, worker.workspace.byteCount)
            state.cost.observe(tokens: tokens, seconds: seconds)
            state.statistics.batchCount += 1
            state.statistics.tokenCount += tokens
            state.statistics.textCount += batch.count
            state.statistics.computeSeconds += seconds
            return deliveries
        }
        // Not before: helpers that leave would take turns with this thread at the lock.
        team?.finish()
        var results: [ObjectIdentifier: (record: JobRecord, texts: [(Int, Int)])] = [:]
        for (n, texts) in deliveries.enumerated() {
            for case (let record?, let index) in texts {
                results[ObjectIdentifier(record), default: (record, [])].texts.append((index, n))
            }
        }
        for (record, texts) in results.values {
            record.deliver(texts, worker, failures)
        }
    }

    // MARK: - Figures

    /// Measures what batches cost as soon as nothing is in work, unless that was done.
    func calibrateWhenIdle() {
        state.withLock { state in
            guard state.calibration == .none else { return }
            // What the library allocates beside a workspace shows in its first product only.
            state.calibration = model.encoder.backend == .openblas ? .wanted : .wantedWhenIdle
        }
        state.notifyAll()
    }

    var costModel: CostModel {
        state.withLock { state in
            switch state.calibration {
            case .none, .wantedWhenIdle: state.calibration = .wanted
            case .wanted, .running, .done: break
            }
        }
        state.notifyAll()
        return state.wait { $0.calibration == .done || $0.workerCount == 0 ? $0.cost : nil }!
    }

    var memoryCeiling: Int {
        state.withLock { state in
            state.memory.refresh(now: .now)
            return state.memory.ceiling
        }
    }

    var spareByteCount: Int {
        let cost = costModel
        let tokens = max(configuration.batchTokenCount, model.settings.maximumTokenCount)
        let workspace = cost.workspaceByteCount(
            tokens: tokens, longest: model.settings.maximumTokenCount)
        let own =
            cost.baseByteCount + configuration.cacheByteCount
            + configuration.threadCount * (cost.workerByteCount + workspace)
        return Int(configuration.memory.threshold * Double(memoryCeiling)) - own
    }

    func predict(lengths: [Int], byteCount: Int) -> BatchPrediction {
        let cost = costModel
        return BatchPrediction(
            lengths: lengths, byteCount: byteCount + configuration.cacheByteCount, cost,
            batchTokenCount: configuration.batchTokenCount,
            workerCount: configuration.threadCount, ceiling: memoryCeiling)
    }

    var statistics: EmbedderStatistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.sharedTextCount = state.scheduler.sharedTextCount
            statistics.cacheHitCount = state.cache.hitCount
            statistics.cacheMissCount = state.cache.missCount
            statistics.cacheByteCount = state.cache.byteCount
            statistics.jobCount = state.scheduler.jobCount
            statistics.waitingTextCount = state.scheduler.waitingTextCount
            statistics.waitingTokenCount = state.scheduler.waitingTokenCount
            statistics.busyWorkerCount = state.isBusy.count { $0 }
            return statistics
        }
    }
}
