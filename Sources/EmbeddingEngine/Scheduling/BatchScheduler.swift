import HeapModule

/// Decides what is computed next. A state machine without threads, clocks or memory of its own: who
/// drives it says what the time is and what fits.
///
/// Jobs hold texts. A text is tokenized, becomes a *sequence*, and waits in its job's queue until a
/// batch takes it. Jobs are served in the order of their priority, then of the tokens that they will
/// have had after their next batch (weighted fair queueing: Demers, Keshav, Shenker 1989,
/// https://doi.org/10.1145/75247.75248), in steps of a batch, then of their deadlines. So a short
/// job overtakes a long one, and long ones share. Of every few batches one begins with the job
/// that has waited longest, whatever its priority and however many others come: nothing starves.
package struct BatchScheduler {
    package typealias JobID = UInt64
    package typealias SequenceID = UInt64
    package typealias Instant = ContinuousClock.Instant

    private struct JobState {
        var job: Job
        /// The first text that was not handed out to be tokenized, and the bytes from there on.
        var nextText = 0
        var untokenizedByteCount: Int
        /// Texts that were handed out and are not back yet.
        var tokenizingCount = 0
        /// Sequences that wait; those that another job's batch took meanwhile are skipped.
        var ready: ArraySlice<ReadyText> = []
        var readyTokenCount = 0
        /// Texts without a result.
        var unfinishedCount: Int
        /// Tokens that the job has had, counted from the virtual time of its arrival.
        var virtualTime: Int
        var lastServed: Instant
        /// The entries of the two orders that count; older ones are void. 0: none.
        var readyTicket: UInt64 = 0
        var untokenizedTicket: UInt64 = 0

        var untokenizedCount: Int { job.textByteCounts.count - nextText }
    }

    private struct ReadyText {
        var sequence: SequenceID
        var tokenCount: Int
    }

    private struct Sequence {
        var ids: [Int32]
        var subscribers: [TextID]
        var isRunning = false
    }

    /// A job's place in an order.
    private struct Entry: Comparable {
        var priority: Int
        /// ``virtualEnd`` in steps of a batch.
        var round: Int
        var deadline: Instant?
        /// The tokens that the job will have had after its next batch.
        var virtualEnd: Int
        var job: JobID
        var ticket: UInt64

        static func < (a: Entry, b: Entry) -> Bool {
            if a.priority != b.priority { return a.priority > b.priority }
            if a.round != b.round { return a.round < b.round }
            switch (a.deadline, b.deadline) {
            case (let x?, let y?) where x != y: return x < y
            case (_?, nil): return true
            case (nil, _?): return false
            default: return (a.virtualEnd, a.job) < (b.virtualEnd, b.job)
            }
        }
    }

    package let limits: Limits
    private var jobs: [JobID: JobState] = [:]
    private var sequences: [SequenceID: Sequence] = [:]
    /// The sequence that computes these token ids, or will.
    private var inFlight: [[Int32]: SequenceID] = [:]
    /// The jobs that have sequences ready, and those that have texts to be tokenized.
    private var readyOrder = Heap<Entry>()
    private var untokenizedOrder = Heap<Entry>()
    private var deadlines = Heap<Deadline>()
    private var lastID: UInt64 = 0
    private var virtualTime = 0
    private var batchCount = 0
    /// Times that tokenizing went before computing in a row.
    private var tokenizationRun = 0
    /// Jobs that were looked at; what the work of deciding costs.
    package private(set) var visitCount = 0
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
            job: job, untokenizedByteCount: job.textByteCounts.reduce(0, +),
            unfinishedCount: job.textByteCounts.count, virtualTime: virtualTime, lastServed: now)
        waitingTextCount += job.textByteCounts.count
        enqueue(id)
        if let deadline = job.deadline {
            if deadlines.count > 2 * jobs.count + 64 {
                deadlines = Heap(deadlines.unordered.filter { jobs[$0.job] != nil })
            }
            deadlines.insert(Deadline(instant: deadline, job: id))
        }
        return id
    }

    /// Forgets a job. What it shares with other jobs is still computed, and so is what runs.
    ///
    /// - Returns: false when the job is not known (any more).
    @discardableResult package mutating func cancel(_ id: JobID) -> Bool {
        guard let state = jobs.removeValue(forKey: id) else { return false }
        waitingTextCount -= state.untokenizedCount + state.tokenizingCount
        // A sequence that many texts of the job share stands there as often.
        for sequenceID in Set(state.ready.map(\.sequence)) {
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

    /// Puts a job into the orders where it has something to give and does not stand yet.
    private mutating func enqueue(_ id: JobID) {
        guard let index = jobs.index(forKey: id) else { return }
        dropStaleHead(index)
        if jobs.values[index].readyTicket == 0, !jobs.values[index].ready.isEmpty {
            let entry = entry(id, index)
            jobs.values[index].readyTicket = entry.ticket
            insert(entry, into: \.readyOrder, \.readyTicket)
        }
        if jobs.values[index].untokenizedTicket == 0, jobs.values[index].untokenizedCount > 0,
            jobs.values[index].readyTokenCount < limits.lookaheadTokenCount
        {
            let entry = entry(id, index)
            jobs.values[index].untokenizedTicket = entry.ticket
            insert(entry, into: \.untokenizedOrder, \.untokenizedTicket)
        }
    }

    private mutating func insert(
        _ entry: Entry, into order: WritableKeyPath<BatchScheduler, Heap<Entry>>,
        _ ticket: KeyPath<JobState, UInt64>
    ) {
        // Void entries that never come to the top must not pile up.
        if self[keyPath: order].count > 2 * jobs.count + 64 {
            let valid = self[keyPath: order].unordered.filter {
                jobs[$0.job]?[keyPath: ticket] == $0.ticket
            }
            self[keyPath: order] = Heap(valid)
        }
        self[keyPath: order].insert(entry)
    }

    private mutating func entry(_ id: JobID, _ index: Dictionary<JobID, JobState>.Index) -> Entry {
        let batch = max(1, limits.batchTokenCount)
        // A token stands for some four bytes of text.
        let left = jobs.values[index].readyTokenCount + jobs.values[index].untokenizedByteCount / 4
        let end = jobs.values[index].virtualTime + min(batch, left)
        return Entry(
            priority: jobs.values[index].job.priority, round: end / batch,
            deadline: jobs.values[index].job.deadline, virtualEnd: end, job: id, ticket: newID())
    }

    /// The first job of an order, which stays in it; what is void before it is taken out.
    private mutating func firstEntry(
        _ order: WritableKeyPath<BatchScheduler, Heap<Entry>>,
        _ ticket: KeyPath<JobState, UInt64>
    ) -> Entry? {
        while let entry = self[keyPath: order].min {
            if let index = jobs.index(forKey: entry.job),
                jobs.values[index][keyPath: ticket] == entry.ticket
            {
                return entry
            }
            self[keyPath: order].removeMin()
        }
        return nil
    }

    private mutating func firstReady() -> Entry? { firstEntry(\.readyOrder, \.readyTicket) }

    private mutating func firstUntokenized() -> Entry? {
        firstEntry(\.untokenizedOrder, \.untokenizedTicket)
    }

    /// Takes sequences off the head of a job's queue that batches took.
    private mutating func dropStaleHead(_ index: Dictionary<JobID, JobState>.Index) {
        while let head = jobs.values[index].ready.first,
            sequences[head.sequence].map(\.isRunning) ?? true
        {
            jobs.values[index].ready.removeFirst()
            jobs.values[index].readyTokenCount -= head.tokenCount
        }
    }

    // MARK: - Texts

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
                    jobs.values[index].ready.append(
                        ReadyText(sequence: sequenceID, tokenCount: ids.count))
                } else {
                    let sequenceID = newID()
                    sequences[sequenceID] = Sequence(ids: ids, subscribers: [textID])
                    inFlight[ids] = sequenceID
                    waitingTokenCount += ids.count
                    jobs.values[index].ready.append(
                        ReadyText(sequence: sequenceID, tokenCount: ids.count))
                }
                jobs.values[index].readyTokenCount += ids.count
            }
        }
        finishOrEnqueue(id)
    }

    private mutating func finishOrEnqueue(_ id: JobID) {
        guard let index = jobs.index(forKey: id) else { return }
        if jobs.values[index].unfinishedCount == 0 {
            jobs[id] = nil
        } else {
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
        let room = room(idleWorkers)
        if isTokenizationDue(room * max(1, idleWorkers)) {
            tokenizationRun += 1
            return .tokenize(handOut())
        }
        tokenizationRun = 0
        var plan = BatchPlan(room: room)
        var visited: [JobID] = []
        if let waiting = jobOfFairTurn() {
            visited.append(waiting)
            visit(waiting, &plan, fits)
        }
        while plan.wantsMore, let entry = firstReady() {
            readyOrder.removeMin()
            jobs[entry.job]?.readyTicket = 0
            visited.append(entry.job)
            visit(entry.job, &plan, fits)
        }
        let batch = plan.sequences.isEmpty ? nil : Work.compute(start(plan, now: now))
        for id in visited { enqueue(id) }
        // What seemed ready may have been in other jobs' batches already.
        if batch == nil, firstUntokenized() != nil { return .tokenize(handOut()) }
        return batch
    }

    /// Whether texts are tokenized before the next batch: for want of sequences, or for a job that
    /// comes before those that are ready. Tokenizing is quick; but whatever comes, computing goes on.
    private mutating func isTokenizationDue(_ tokensWanted: Int) -> Bool {
        guard let untokenized = firstUntokenized() else { return false }
        guard let ready = firstReady() else { return true }
        let givesSequences = jobs[untokenized.job].map { !$0.job.isTokenizedOnly } ?? false
        if givesSequences, waitingTokenCount < tokensWanted, tokenizationRun < 64 { return true }
        return untokenized < ready && tokenizationRun < 16
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
        /// Jobs in a row of which nothing found room.
        var missCount = 0

        var wantsMore: Bool { missCount < 8 && shares.count < 1024 && tokens < room }
    }

    /// The tokens of the next batch: less than the limit when the rest of the work is for several.
    private func room(_ idleWorkers: Int) -> Int {
        let isRest = waitingTokenCount < limits.batchTokenCount * idleWorkers
        guard isRest, idleWorkers > 1 else { return limits.batchTokenCount }
        let share = (waitingTokenCount + idleWorkers - 1) / idleWorkers
        return min(limits.batchTokenCount, max(limits.splitTokenCount, share))
    }

    /// The job that has waited longest, taken out of the order, when it is its turn and it is not
    /// the first anyway.
    private mutating func jobOfFairTurn() -> JobID? {
        guard jobs.count > 1, batchCount % limits.fairTurn == limits.fairTurn - 1,
            let first = firstReady()?.job
        else { return nil }
        var longest: (lastServed: Instant, job: JobID)?
        for index in jobs.indices where jobs.values[index].readyTicket != 0 {
            let candidate = (jobs.values[index].lastServed, jobs.keys[index])
            if longest.map({ candidate < ($0.lastServed, $0.job) }) ?? true { longest = candidate }
        }
        guard let job = longest?.job, job != first else { return nil }
        jobs[job]?.readyTicket = 0
        return job
    }

    /// Plans what a job gives to the batch.
    private mutating func visit(
        _ id: JobID, _ plan: inout BatchPlan, _ fits: (_ tokens: Int, _ longest: Int) -> Bool
    ) {
        visitCount += 1
        guard let index = jobs.index(forKey: id) else { return }
        dropStaleHead(index)
        let isShort =
            jobs.values[index].untokenizedCount == 0
            && jobs.values[index].readyTokenCount <= limits.shortBatchTokenCount
        if !isShort, plan.hasShortJob {
            plan.room = min(plan.room, max(limits.shortBatchTokenCount, plan.tokens))
        }
        var share = 0
        for text in jobs.values[index].ready {
            guard let sequence = sequences[text.sequence], !sequence.isRunning,
                !plan.chosen.contains(text.sequence)
            else { continue }
            let tokens = plan.tokens + text.tokenCount
            let longest = max(plan.longest, text.tokenCount)
            // Where this text finds no room another job's shorter one may.
            guard (tokens <= plan.room || plan.sequences.isEmpty) && fits(tokens, longest) else {
                break
            }
            plan.sequences.append(text.sequence)
            plan.chosen.insert(text.sequence)
            plan.tokens = tokens
            plan.longest = longest
            share += text.tokenCount
        }
        if share > 0 {
            plan.shares.append((id, share))
            plan.hasShortJob = plan.hasShortJob || isShort
            plan.missCount = 0
        } else {
            plan.missCount += 1
        }
    }

    /// Gives out texts of the first jobs to be tokenized, a turn's worth in all.
    private mutating func handOut() -> [TextRange] {
        var ranges: [TextRange] = []
        var (textCount, byteCount) = (0, 0)
        while textCount < limits.tokenizedTextCount, byteCount < limits.tokenizedByteCount,
            let id = firstUntokenized()?.job, let index = jobs.index(forKey: id)
        {
            visitCount += 1
            untokenizedOrder.removeMin()
            jobs.values[index].untokenizedTicket = 0
            let start = jobs.values[index].nextText
            var (end, bytes) = (start, 0)
            repeat {
                bytes += jobs.values[index].job.textByteCounts[end]
                end += 1
            } while end < jobs.values[index].job.textByteCounts.count
                && end - start < limits.tokenizedTextCount && bytes < limits.tokenizedByteCount
            jobs.values[index].nextText = end
            jobs.values[index].untokenizedByteCount -= bytes
            jobs.values[index].tokenizingCount += end - start
            // Tokenizing is work too: those that want nothing else do not go before all others.
            if jobs.values[index].job.isTokenizedOnly {
                jobs.values[index].virtualTime += bytes / 8
                virtualTime += bytes / 8 / jobs.count
            }
            ranges.append(TextRange(job: id, indices: start..<end))
            textCount += end - start
            byteCount += bytes
        }
        return ranges
    }

    private mutating func start(_ plan: BatchPlan, now: Instant) -> [BatchEntry] {
        batchCount += 1
        runningBatchCount += 1
        // The time of a job that came now: it advances with what each job gets on average.
        virtualTime += plan.tokens / max(1, jobs.count)
        for (id, tokens) in plan.shares {
            guard let index = jobs.index(forKey: id) else { continue }
            jobs.values[index].virtualTime += tokens
            jobs.values[index].lastServed = now
        }
        let entries = plan.sequences.map { id in
            sequences[id]!.isRunning = true
            let sequence = sequences[id]!
            waitingTokenCount -= sequence.ids.count
            waitingTextCount -= sequence.subscribers.count
            return BatchEntry(sequence: id, ids: sequence.ids)
        }
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
