import Transformer

/// The shell around ``BatchScheduler``: its threads, its memory, its clock.
final class EmbedderCore: Sendable {
    typealias Instant = ContinuousClock.Instant
    typealias JobID = BatchScheduler.JobID

    let model: EmbeddingModel
    let configuration: Embedder.Configuration
    let state: Monitor<State>
    /// When the next deadline is; the timekeeper waits for it.
    let timer = Monitor<Timer>(Timer())

    struct Timer {
        var next: Instant?
        var isRunning = false
        var isStopped = false
    }

    struct State {
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

    enum Calibration {
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
}
