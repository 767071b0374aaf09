import HeapModule

/// Decides what is computed next. A state machine without threads, clocks or memory of its own: who
/// drives it says what the time is and what fits.
///
/// Jobs hold texts. A text is tokenized, becomes a *sequence*, and waits in its job's queue until a
/// batch takes it. Jobs are served in the order of their priority, then of the tokens they have had
/// (start-time fair queueing: Goyal, Vin, Cheng 1996, https://doi.org/10.1145/248156.248171), in
/// steps of a batch, then of their deadlines, then of their arrival. So a short job overtakes a
/// long one, and long ones share. Of every few batches one belongs to the job that has waited
/// longest, whatever its priority: nothing starves.
package struct BatchScheduler {
    package typealias JobID = UInt64
    package typealias SequenceID = UInt64
    package typealias Instant = ContinuousClock.Instant

    package struct Limits: Sendable, Equatable {
        /// The tokens of a batch; a longer single text is a batch of its own.
        package var batchTokenCount = 512
        /// The tokens of a batch that carries the last texts of a short job: enough to compute well,
        /// and soon done.
        package var shortBatchTokenCount = 128
        /// The fewest tokens that a batch is split for among idle workers.
        package var splitTokenCount = 32
        package var workerCount = 1
        /// One batch of so many goes to the job that has waited longest.
        package var fairTurn = 8
        /// Texts and bytes that are tokenized at a time.
        package var tokenizedTextCount = 64
        package var tokenizedByteCount = 1 << 15

        package init() {}

        /// The tokens that wait ready, a job, before more of its texts are tokenized.
        var lookaheadTokenCount: Int { 2 * batchTokenCount * workerCount }
    }

    package struct Job: Sendable {
        package var textByteCounts: [Int]
        package var priority = 0
        package var deadline: Instant?

        package init(textByteCounts: [Int], priority: Int = 0, deadline: Instant? = nil) {
            self.textByteCounts = textByteCounts
            self.priority = priority
            self.deadline = deadline
        }
    }

    package struct TextID: Hashable, Sendable {
        package var job: JobID
        package var index: Int

        package init(job: JobID, index: Int) {
            self.job = job
            self.index = index
        }
    }

    /// Some texts of a job.
    package struct TextRange: Equatable, Sendable {
        package var job: JobID
        package var indices: Range<Int>
    }

    /// A sequence of a batch, and the texts that wait for its vector.
    package struct BatchEntry: Equatable, Sendable {
        package var sequence: SequenceID
        package var ids: [Int32]
    }

    package enum Work: Equatable, Sendable {
        case tokenize([TextRange])
        case compute([BatchEntry])
    }

    private struct JobState {
        var job: Job
        /// The first text that was not handed out to be tokenized.
        var nextText = 0
        /// Texts that were handed out and are not back yet.
        var tokenizingCount = 0
        /// Sequences that wait; those that another job's batch took meanwhile are skipped.
        var ready: ArraySlice<SequenceID> = []
        var readyTokenCount = 0
        /// Texts without a result.
        var unfinishedCount: Int
        /// Tokens that the job has had, counted from those of the job served when it came.
        var virtualTime: Int
        var lastServed: Instant
        /// The heap's entry that counts; older ones are void.
        var ticket: UInt64 = 0
        var isQueued = false

        var untokenizedCount: Int { job.textByteCounts.count - nextText }
    }

    private struct Sequence {
        var ids: [Int32]
        var subscribers: [TextID]
        var isRunning = false
    }

    /// A job's place in the order.
    private struct Entry: Comparable {
        var priority: Int
        var round: Int
        var deadline: Instant?
        var virtualTime: Int
        var job: JobID
        var ticket: UInt64

        static func < (a: Entry, b: Entry) -> Bool {
            if a.priority != b.priority { return a.priority > b.priority }
            if a.round != b.round { return a.round < b.round }
            switch (a.deadline, b.deadline) {
            case (let x?, let y?) where x != y: return x < y
            case (_?, nil): return true
            case (nil, _?): return false
            default: return (a.virtualTime, a.job) < (b.virtualTime, b.job)
            }
        }
    }

    package let limits: Limits
    private var jobs: [JobID: JobState] = [:]
    private var sequences: [SequenceID: Sequence] = [:]
    /// The sequence that computes these token ids, or will.
    private var inFlight: [[Int32]: SequenceID] = [:]
    private var order = Heap<Entry>()
    private var deadlines = Heap<Deadline>()
    private var lastID: UInt64 = 0
    private var virtualTime = 0
    private var batchCount = 0
    /// Workers that a batch was given to.
    private var runningBatchCount = 0
    /// Texts that another text's sequence served.
    package private(set) var sharedTextCount = 0
    package private(set) var waitingTokenCount = 0
    package private(set) var waitingTextCount = 0

    private struct Deadline: Comparable {
        var instant: Instant
        var job: JobID
        static func < (a: Deadline, b: Deadline) -> Bool { a.instant < b.instant }
    }

    package init(_ limits: Limits) { self.limits = limits }

    package var jobCount: Int { jobs.count }
    package var isIdle: Bool { jobs.isEmpty && runningBatchCount == 0 }
    package func contains(_ job: JobID) -> Bool { jobs[job] != nil }

    private mutating func newID() -> UInt64 {
        lastID += 1
        return lastID
    }

    // MARK: - Jobs

    /// Takes a job in. One without texts is done at once and never known.
    package mutating func submit(_ job: Job, now: Instant) -> JobID {
        let id = newID()
        guard !job.textByteCounts.isEmpty else { return id }
        jobs[id] = JobState(
            job: job, unfinishedCount: job.textByteCounts.count, virtualTime: virtualTime,
            lastServed: now)
        waitingTextCount += job.textByteCounts.count
        enqueue(id)
        if let deadline = job.deadline { deadlines.insert(Deadline(instant: deadline, job: id)) }
        return id
    }

    /// Forgets a job. What it shares with other jobs is still computed, and so is what runs.
    ///
    /// - Returns: false when the job is not known (any more).
    @discardableResult package mutating func cancel(_ id: JobID) -> Bool {
        guard let state = jobs.removeValue(forKey: id) else { return false }
        waitingTextCount -= state.untokenizedCount + state.tokenizingCount
        // A sequence that many texts of the job share stands there as often.
        for sequenceID in Set(state.ready) {
            guard let index = sequences.index(forKey: sequenceID),
                !sequences.values[index].isRunning
            else { continue }
            let count = sequences.values[index].subscribers.count
            sequences.values[index].subscribers.removeAll { $0.job == id }
            waitingTextCount -= count - sequences.values[index].subscribers.count
            if sequences.values[index].subscribers.isEmpty {
                remove(sequenceID, sequences.values[index])
            }
        }
        return true
    }

    /// Forgets the jobs whose deadline has come, and names them.
    package mutating func expire(now: Instant) -> [JobID] {
        var expired: [JobID] = []
        while let next = deadlines.min, next.instant <= now {
            deadlines.removeMin()
            if cancel(next.job) { expired.append(next.job) }
        }
        return expired
    }

    /// When ``expire(now:)`` has something to do next.
    package mutating func nextDeadline() -> Instant? {
        while let next = deadlines.min, jobs[next.job] == nil { deadlines.removeMin() }
        return deadlines.min?.instant
    }

    private mutating func enqueue(_ id: JobID) {
        guard let index = jobs.index(forKey: id) else { return }
        let ticket = newID()
        jobs.values[index].ticket = ticket
        jobs.values[index].isQueued = true
        let state = jobs.values[index]
        order.insert(
            Entry(
                priority: state.job.priority,
                round: state.virtualTime / max(1, limits.batchTokenCount),
                deadline: state.job.deadline, virtualTime: state.virtualTime, job: id,
                ticket: ticket))
    }

    /// The first job in the order, taken out of it; nil when none waits.
    private mutating func popJob() -> JobID? {
        while let entry = order.popMin() {
            guard let index = jobs.index(forKey: entry.job),
                jobs.values[index].ticket == entry.ticket
            else { continue }
            jobs.values[index].isQueued = false
            dropStaleHead(entry.job)
            let state = jobs.values[index]
            if state.ready.isEmpty && state.untokenizedCount == 0 { continue }
            return entry.job
        }
        return nil
    }

    /// Takes sequences off the head of a job's queue that other jobs' batches took.
    private mutating func dropStaleHead(_ id: JobID) {
        guard let index = jobs.index(forKey: id) else { return }
        while let head = jobs.values[index].ready.first,
            sequences[head].map(\.isRunning) ?? true
        {
            jobs.values[index].ready.removeFirst()
        }
        if jobs.values[index].ready.isEmpty { jobs.values[index].readyTokenCount = 0 }
    }

    // MARK: - Texts

    /// What became of a text's tokenization.
    package enum Tokenized: Sendable {
        case ids([Int32])
        /// The text has its result: it was only to be tokenized, was found in a cache, or is an
        /// error.
        case finished
    }

    /// Takes in what became of texts that ``next(now:idleWorkers:fits:)`` gave out to be tokenized.
    ///
    /// - Parameters:
    ///   - first: the index of the first of `texts` in its job.
    package mutating func tokenized(_ id: JobID, from first: Int, _ texts: [Tokenized]) {
        guard let index = jobs.index(forKey: id) else { return }
        jobs.values[index].tokenizingCount -= texts.count
        for (n, text) in texts.enumerated() {
            let textID = TextID(job: id, index: first + n)
            switch text {
            case .finished:
                waitingTextCount -= 1
                jobs.values[index].unfinishedCount -= 1
            case .ids(let ids):
                if let sequenceID = inFlight[ids], sequences[sequenceID] != nil {
                    sequences[sequenceID]!.subscribers.append(textID)
                    sharedTextCount += 1
                    if sequences[sequenceID]!.isRunning {
                        waitingTextCount -= 1
                        continue
                    }
                    jobs.values[index].ready.append(sequenceID)
                } else {
                    let sequenceID = newID()
                    sequences[sequenceID] = Sequence(ids: ids, subscribers: [textID])
                    inFlight[ids] = sequenceID
                    waitingTokenCount += ids.count
                    jobs.values[index].ready.append(sequenceID)
                }
                jobs.values[index].readyTokenCount += ids.count
            }
        }
        finishOrEnqueue(id)
    }

    private mutating func finishOrEnqueue(_ id: JobID) {
        guard let state = jobs[id] else { return }
        if state.unfinishedCount == 0 {
            jobs[id] = nil
        } else if !state.isQueued, !state.ready.isEmpty || state.untokenizedCount > 0 {
            enqueue(id)
        }
    }

    private mutating func remove(_ id: SequenceID, _ sequence: Sequence) {
        sequences[id] = nil
        if inFlight[sequence.ids] == id { inFlight[sequence.ids] = nil }
        if !sequence.isRunning { waitingTokenCount -= sequence.ids.count }
    }

    // MARK: - Batches

    /// The work that is due; nil when there is none, or none that fits.
    ///
    /// - Parameters:
    ///   - idleWorkers: workers without work, the one that asks included; a small rest of work is
    ///     split among them.
    ///   - fits: whether a batch of so many tokens, with a longest text of so many, has room now.
    package mutating func next(
        now: Instant, idleWorkers: Int = 1, fits: (_ tokens: Int, _ longest: Int) -> Bool
    ) -> Work? {
        var visited: [JobID] = []
        defer { for id in visited where jobs[id].map({ !$0.isQueued }) ?? false { enqueue(id) } }

        var encode: [TextRange] = []
        var plan = BatchPlan(room: room(idleWorkers))
        if let waiting = jobOfFairTurn() {
            visited.append(waiting)
            visit(waiting, &plan, &encode, fits)
        }
        while plan.wantsMore, let id = popJob() {
            if visited.contains(id) { continue }
            visited.append(id)
            visit(id, &plan, &encode, fits)
        }
        if !encode.isEmpty { return .tokenize(handOut(encode)) }
        guard !plan.sequences.isEmpty else { return nil }
        return .compute(start(plan, now: now))
    }

    /// A batch in the making.
    private struct BatchPlan {
        var room: Int
        var sequences: [SequenceID] = []
        var chosen: Set<SequenceID> = []
        /// The jobs that the batch is taken from, each with the tokens it gets.
        var shares: [(job: JobID, tokens: Int)] = []
        var tokens = 0
        var longest = 0
        var hasShortJob = false
        /// Bytes that are to be tokenized first; a token stands for a few of them.
        var untokenizedBytes = 0
        var isFull = false

        var wantsMore: Bool {
            !isFull && shares.count < 1024 && tokens + untokenizedBytes / 8 < room
        }
    }

    /// The tokens of the next batch: less than the limit when the rest of the work is for several.
    private func room(_ idleWorkers: Int) -> Int {
        let isRest = waitingTokenCount < limits.batchTokenCount * idleWorkers
        guard isRest, idleWorkers > 1 else { return limits.batchTokenCount }
        let share = (waitingTokenCount + idleWorkers - 1) / idleWorkers
        return min(limits.batchTokenCount, max(limits.splitTokenCount, share))
    }

    /// The job that has waited longest, when it is its turn whatever its priority.
    private mutating func jobOfFairTurn() -> JobID? {
        guard jobs.count > 1, batchCount % limits.fairTurn == limits.fairTurn - 1 else {
            return nil
        }
        let candidates = jobs.filter { $0.value.isQueued }
        guard
            let longest = candidates.min(by: {
                ($0.value.lastServed, $0.key) < ($1.value.lastServed, $1.key)
            }), let first = order.min, longest.value.job.priority < first.priority
        else { return nil }
        jobs[longest.key]?.isQueued = false
        dropStaleHead(longest.key)
        return longest.key
    }

    /// Plans what a job gives to the batch, or what of it is tokenized first.
    private mutating func visit(
        _ id: JobID, _ plan: inout BatchPlan, _ encode: inout [TextRange],
        _ fits: (_ tokens: Int, _ longest: Int) -> Bool
    ) {
        guard let state = jobs[id] else { return }
        if state.untokenizedCount > 0, state.readyTokenCount < limits.lookaheadTokenCount {
            let range = chunk(state)
            // A short job that is ready does not wait for a long one's tokens.
            if plan.hasShortJob, range.count < state.untokenizedCount { return }
            encode.append(TextRange(job: id, indices: range))
            plan.untokenizedBytes += state.job.textByteCounts[range].reduce(8 * range.count, +)
            if plan.untokenizedBytes >= limits.tokenizedByteCount { plan.isFull = true }
            return
        }
        // A text that must be tokenized first decides on the work; the batch waits for it.
        guard encode.isEmpty else { return }
        let isShort =
            state.untokenizedCount == 0 && state.readyTokenCount <= limits.shortBatchTokenCount
        if !isShort, plan.hasShortJob {
            plan.room = min(plan.room, max(limits.shortBatchTokenCount, plan.tokens))
        }
        var share = 0
        for sequenceID in state.ready {
            guard let sequence = sequences[sequenceID], !sequence.isRunning,
                !plan.chosen.contains(sequenceID)
            else { continue }
            let count = sequence.ids.count
            let tokens = plan.tokens + count
            let longest = max(plan.longest, count)
            guard (tokens <= plan.room || plan.sequences.isEmpty) && fits(tokens, longest) else {
                // The next text of the job waits; another job's may be shorter.
                if plan.sequences.isEmpty { plan.isFull = true }
                break
            }
            plan.sequences.append(sequenceID)
            plan.chosen.insert(sequenceID)
            plan.tokens = tokens
            plan.longest = longest
            share += count
        }
        if share > 0 {
            plan.shares.append((id, share))
            plan.hasShortJob = plan.hasShortJob || isShort
        }
    }

    private func chunk(_ state: JobState) -> Range<Int> {
        let counts = state.job.textByteCounts
        var end = state.nextText
        var bytes = 0
        repeat {
            bytes += counts[end]
            end += 1
        } while end < counts.count && end - state.nextText < limits.tokenizedTextCount
            && bytes + counts[end] <= limits.tokenizedByteCount
        return state.nextText..<end
    }

    private mutating func handOut(_ ranges: [TextRange]) -> [TextRange] {
        for range in ranges {
            jobs[range.job]?.nextText = range.indices.upperBound
            jobs[range.job]?.tokenizingCount += range.indices.count
        }
        return ranges
    }

    private mutating func start(_ plan: BatchPlan, now: Instant) -> [BatchEntry] {
        batchCount += 1
        runningBatchCount += 1
        for (id, tokens) in plan.shares {
            guard let index = jobs.index(forKey: id) else { continue }
            virtualTime = max(virtualTime, jobs.values[index].virtualTime)
            jobs.values[index].virtualTime += tokens
            jobs.values[index].readyTokenCount -= tokens
            jobs.values[index].lastServed = now
        }
        let entries = plan.sequences.map { id in
            sequences[id]!.isRunning = true
            let sequence = sequences[id]!
            waitingTokenCount -= sequence.ids.count
            waitingTextCount -= sequence.subscribers.count
            return BatchEntry(sequence: id, ids: sequence.ids)
        }
        for (id, _) in plan.shares { dropStaleHead(id) }
        return entries
    }

    /// Takes in that a batch was computed.
    ///
    /// - Returns: for each sequence, the texts that have their vectors now; those of jobs that were
    ///   cancelled meanwhile are left out.
    package mutating func completed(_ batch: [SequenceID]) -> [[TextID]] {
        runningBatchCount -= 1
        return batch.map { id in
            guard let sequence = sequences[id] else { return [] }
            remove(id, sequence)
            let texts = sequence.subscribers.filter { jobs[$0.job] != nil }
            for text in texts {
                jobs[text.job]?.unfinishedCount -= 1
                finishOrEnqueue(text.job)
            }
            return texts
        }
    }
}
