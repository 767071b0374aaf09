import EmbeddingEngine
import TestSupport
import Testing

/// Drives a scheduler by hand: no threads, no clock.
private struct Bench {
    typealias Job = BatchScheduler.Job
    typealias JobID = BatchScheduler.JobID

    var scheduler: BatchScheduler
    var now = ContinuousClock.now
    /// Token ids of each job's texts.
    var texts: [JobID: [[Int32]]] = [:]
    /// The times each text was delivered.
    var delivered: [BatchScheduler.TextID: Int] = [:]
    var running: [[BatchScheduler.BatchEntry]] = []
    private var nextToken: Int32 = 1000

    init(batchTokens: Int = 100, workers: Int = 1) {
        var limits = BatchScheduler.Limits()
        limits.batchTokenCount = batchTokens
        limits.shortBatchTokenCount = 25
        limits.workerCount = workers
        scheduler = BatchScheduler(limits)
    }

    /// A job of texts with so many tokens each, all different.
    mutating func submit(
        _ lengths: [Int], priority: Int = 0, deadline: Duration? = nil
    ) -> JobID {
        let ids = lengths.map { length -> [Int32] in
            nextToken += 1
            return [nextToken] + [Int32](repeating: 7, count: length - 1)
        }
        return submit(ids, priority: priority, deadline: deadline)
    }

    mutating func submit(
        _ ids: [[Int32]], priority: Int = 0, deadline: Duration? = nil
    ) -> JobID {
        let job = Job(
            textByteCounts: ids.map { 4 * $0.count }, priority: priority,
            deadline: deadline.map { now + $0 })
        let id = scheduler.submit(job, now: now)
        texts[id] = ids
        return id
    }

    /// The next batch, with all tokenization before it done; nil when nothing waits.
    mutating func start(
        idle: Int = 1, fits: (Int, Int) -> Bool = { _, _ in true }
    ) -> [BatchScheduler.BatchEntry]? {
        while let work = scheduler.next(now: now, idleWorkers: idle, fits: fits) {
            switch work {
            case .tokenize(let ranges):
                for range in ranges {
                    scheduler.tokenized(
                        range.job, from: range.indices.lowerBound,
                        texts[range.job]![range.indices].map { .ids($0) })
                }
            case .compute(let batch):
                running.append(batch)
                return batch
            }
        }
        return nil
    }

    mutating func complete(_ batch: [BatchScheduler.BatchEntry]) -> [[BatchScheduler.TextID]] {
        running.removeAll { $0 == batch }
        now += .milliseconds(10)
        let texts = scheduler.completed(batch.map(\.sequence))
        for text in texts.joined() { delivered[text, default: 0] += 1 }
        return texts
    }

    /// The jobs that a batch computes for, in order.
    @discardableResult mutating func step() -> [JobID]? {
        guard let batch = start() else { return nil }
        var jobs: [JobID] = []
        for text in complete(batch).joined() where !jobs.contains(text.job) {
            jobs.append(text.job)
        }
        return jobs
    }
}

@Suite struct BatchSchedulerTests {
    @Test func everyTextIsComputedOnceWithinTheBudget() {
        var generator = SeededGenerator(seed: 4)
        var bench = Bench()
        let jobs = (0..<50).map { _ in
            bench.submit(
                (0..<Int.random(in: 1...40, using: &generator)).map { _ in
                    Int.random(in: 2...60, using: &generator)
                })
        }
        while let batch = bench.start() {
            let tokens = batch.reduce(0) { $0 + $1.ids.count }
            #expect(tokens <= 100)
            _ = bench.complete(batch)
        }
        for job in jobs {
            for index in bench.texts[job]!.indices {
                #expect(bench.delivered[.init(job: job, index: index)] == 1)
            }
        }
        #expect(bench.scheduler.isIdle)
        #expect(bench.scheduler.waitingTextCount == 0)
        #expect(bench.scheduler.waitingTokenCount == 0)
    }

    @Test func aTextOverTheBudgetIsABatchOfItsOwn() {
        var bench = Bench()
        _ = bench.submit([300, 300])
        #expect(bench.start()?.count == 1)
        #expect(bench.start()?.count == 1)
        #expect(bench.start() == nil)
    }

    @Test func requestsOfManyCallersAreMerged() {
        var bench = Bench()
        let jobs = (0..<4).map { _ in bench.submit([5]) }
        #expect(bench.step() == jobs)
    }

    @Test func aShortJobOvertakesALongOne() {
        var bench = Bench()
        let long = bench.submit(.init(repeating: 20, count: 10_000))
        for _ in 0..<30 { #expect(bench.step() == [long]) }
        let short = bench.submit([10])
        #expect(bench.step()?.first == short)
        #expect(bench.step() == [long])
    }

    @Test func theBatchOfAShortJobStaysShort() {
        var bench = Bench()
        _ = bench.submit(.init(repeating: 10, count: 1000))
        for _ in 0..<10 { bench.step() }
        _ = bench.submit([5])
        let batch = bench.start() ?? []
        let tokens = batch.reduce(0) { $0 + $1.ids.count }
        #expect((5...25).contains(tokens))
    }

    @Test func longJobsShare() {
        var bench = Bench()
        let jobs = [
            bench.submit(.init(repeating: 10, count: 1000)),
            bench.submit(.init(repeating: 50, count: 1000)),
        ]
        var counts = [0, 0]
        for _ in 0..<100 {
            for text in bench.complete(bench.start()!).joined() {
                counts[text.job == jobs[0] ? 0 : 1] += text.job == jobs[0] ? 10 : 50
            }
        }
        let tokens = counts.reduce(0, +)
        #expect(abs(counts[0] - tokens / 2) < tokens / 20)
    }

    @Test func prioritiesComeFirst() {
        var bench = Bench()
        let low = bench.submit([100, 100], priority: -1)
        let high = bench.submit([100, 100], priority: 5)
        let middle = bench.submit([100])
        let order = (0..<5).compactMap { _ in bench.step()?.first }
        #expect(order == [high, high, middle, low, low])
    }

    @Test func aLowPriorityDoesNotStarve() {
        var bench = Bench()
        let low = bench.submit([100], priority: -100)
        for _ in 0..<20 {
            _ = bench.submit([100, 100], priority: 100)
            if bench.step()?.contains(low) ?? false { return }
        }
        Issue.record("the job was never served")
    }

    @Test func newcomersDoNotStarveALongJob() {
        var bench = Bench()
        let long = bench.submit(.init(repeating: 10, count: 10_000))
        // Clients that ask anew as soon as they are answered, more than a batch has room for.
        for _ in 0..<60 { _ = bench.submit([10]) }
        var turns = 0
        for _ in 0..<400 {
            let served = bench.step() ?? []
            for job in served where job != long { _ = bench.submit([10]) }
            if served.contains(long) { turns += 1 }
        }
        #expect(turns >= 25)
    }

    @Test func tokenizingDoesNotHoldUpComputing() {
        var bench = Bench()
        let counting = bench.scheduler.submit(
            .init(textByteCounts: .init(repeating: 1000, count: 10_000), isTokenizedOnly: true),
            now: bench.now)
        let query = bench.submit([10])
        var turns = 0
        while bench.scheduler.contains(query), turns < 100 {
            turns += 1
            switch bench.scheduler.next(now: bench.now, fits: { _, _ in true }) {
            case .tokenize(let ranges)?:
                for range in ranges {
                    let isCounted = range.job == counting
                    bench.scheduler.tokenized(
                        range.job, from: range.indices.lowerBound,
                        range.indices.map { isCounted ? .finished : .ids(bench.texts[query]![$0]) })
                }
            case .compute(let batch)?: _ = bench.complete(batch)
            case nil: break
            }
        }
        #expect(turns < 10)
        #expect(bench.scheduler.contains(counting))
    }

    @Test func manyJobsCostNoMoreThanTheirTexts() {
        var bench = Bench()
        let count = Build.isOptimized ? 20_000 : 1000
        for _ in 0..<count { _ = bench.submit([4]) }
        while bench.step() != nil {}
        #expect(bench.scheduler.isIdle)
        // Each is tokenized once and computed once; some are looked at in vain.
        #expect(bench.scheduler.visitCount < 3 * count)
    }

    @Test func earlierDeadlinesComeFirst() {
        var bench = Bench()
        let none = bench.submit([100])
        let later = bench.submit([100], deadline: .seconds(20))
        let sooner = bench.submit([100], deadline: .seconds(10))
        let order = (0..<3).compactMap { _ in bench.step()?.first }
        #expect(order == [sooner, later, none])
    }

    @Test func aJobPastItsDeadlineIsDropped() {
        var bench = Bench()
        let job = bench.submit([100, 100, 100], deadline: .milliseconds(15))
        #expect(bench.scheduler.nextDeadline() == bench.now + .milliseconds(15))
        #expect(bench.step() == [job])
        #expect(bench.scheduler.expire(now: bench.now).isEmpty)
        let batch = bench.start()!
        #expect(bench.scheduler.expire(now: bench.now + .milliseconds(10)) == [job])
        #expect(bench.complete(batch) == [[]])
        #expect(bench.step() == nil)
        #expect(bench.scheduler.isIdle)
        #expect(bench.scheduler.nextDeadline() == nil)
    }

    @Test func identicalTextsInFlightAreComputedOnce() {
        var bench = Bench()
        let first = bench.submit([[1, 2, 3], [1, 2, 3], [4, 5]])
        let second = bench.submit([[4, 5], [1, 2, 3]])
        let batch = bench.start()!
        #expect(Set(batch.map(\.ids)) == [[1, 2, 3], [4, 5]])
        // One that comes while its twin is computed joins it.
        let third = bench.submit([[4, 5]])
        #expect(bench.start() == nil)
        let order = batch.map(\.ids)
        let delivered = bench.complete(batch)
        let texts = [[1, 2, 3], [4, 5]].map { delivered[order.firstIndex(of: $0)!] }
        #expect(
            Set(texts[0]) == [
                .init(job: first, index: 0), .init(job: first, index: 1),
                .init(job: second, index: 1),
            ])
        #expect(Set(texts[1].map(\.job)) == [first, second, third])
        #expect(bench.scheduler.isIdle)
        #expect(bench.scheduler.sharedTextCount == 4)
        #expect(bench.scheduler.waitingTextCount == 0)
    }

    @Test func aCancelledJobIsForgottenButNotWhatOthersShare() {
        var bench = Bench()
        let first = bench.submit([[1, 2], [3, 4], [5, 6]])
        let second = bench.submit([[3, 4]])
        let fits = { (_: Int, _: Int) in false }
        // Everything is tokenized, nothing fits.
        #expect(bench.start(fits: fits) == nil)
        #expect(bench.scheduler.waitingTokenCount == 6)
        let isKnown = bench.scheduler.cancel(first)
        #expect(isKnown)
        #expect(bench.scheduler.waitingTokenCount == 2)
        #expect(bench.scheduler.waitingTextCount == 1)
        let batch = bench.start()!
        #expect(batch.map(\.ids) == [[3, 4]])
        #expect(bench.complete(batch) == [[.init(job: second, index: 0)]])
        let isKnownStill = bench.scheduler.cancel(second)
        #expect(!isKnownStill)
        #expect(bench.scheduler.isIdle)
    }

    @Test func whatDoesNotFitIsMadeSmaller() {
        var bench = Bench()
        _ = bench.submit(.init(repeating: 20, count: 10))
        let batch = bench.start { tokens, _ in tokens <= 40 } ?? []
        #expect(batch.count == 2)
        #expect(bench.start { _, _ in false } == nil)
        #expect(bench.start()?.count == 5)
    }

    @Test func theRestIsSplitAmongIdleWorkers() {
        var bench = Bench(batchTokens: 400, workers: 4)
        _ = bench.submit(.init(repeating: 10, count: 16))
        let counts = (0..<4).map { bench.start(idle: 4 - $0)?.count }
        #expect(counts == [4, 4, 4, 4])
    }

    @Test func tokenizationKeepsAheadButNotFar() {
        var bench = Bench()
        let job = bench.submit(.init(repeating: 10, count: 10_000))
        bench.step()
        #expect(bench.scheduler.waitingTokenCount < 2000)
        #expect(bench.scheduler.contains(job))
    }

    /// Random submissions, batches, cancellations and deadlines: each text of a job that lives to
    /// its end is delivered exactly once, the books balance, nothing is left.
    @Test(arguments: 0..<20) func theBooksBalance(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var bench = Bench(workers: 3)
        var cancelled: Set<BatchScheduler.JobID> = []
        var all: [BatchScheduler.JobID] = []
        for _ in 0..<2000 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0...2:
                let texts = (0..<Int.random(in: 1...30, using: &generator)).map { _ in
                    [Int32](
                        repeating: Int32.random(in: 0..<20, using: &generator),
                        count: Int.random(in: 2...50, using: &generator))
                }
                let isUrgent = Int.random(in: 0..<5, using: &generator) == 0
                all.append(
                    bench.submit(
                        texts, priority: Int.random(in: -2...2, using: &generator),
                        deadline: isUrgent ? .milliseconds(50) : nil))
            case 3...5: _ = bench.start(idle: 3 - min(2, bench.running.count))
            case 6...7:
                if let batch = bench.running.randomElement(using: &generator) {
                    _ = bench.complete(batch)
                }
            case 8:
                if let job = all.randomElement(using: &generator), bench.scheduler.cancel(job) {
                    cancelled.insert(job)
                }
            default: cancelled.formUnion(bench.scheduler.expire(now: bench.now))
            }
        }
        while let batch = bench.start() ?? bench.running.first { _ = bench.complete(batch) }
        #expect(bench.scheduler.isIdle)
        #expect(bench.scheduler.waitingTextCount == 0)
        #expect(bench.scheduler.waitingTokenCount == 0)
        for job in all where !cancelled.contains(job) {
            for index in bench.texts[job]!.indices {
                #expect(bench.delivered[.init(job: job, index: index)] == 1)
            }
        }
        for count in bench.delivered.values { #expect(count == 1) }
    }
}
