import EmbeddingPipeline
import Foundation
import Testing

@Suite struct TaskTests {
    /// The schedules as they are specified, in seconds.
    @Test(arguments: [
        (TaskName.processMaterial, [60, 120, 240]),
        (.processSubjectEmbeddings, [60, 120, 240]),
        (.processMaterialEmbeddings, [30, 60, 120]),
        (.generateChunkEmbedding, [10, 20, 40, 80, 160]),
        (.updateExistingMaterialEmbeddings, [30, 60, 120]),
    ])
    func aTaskThatFailsIsTriedAgainAfterExactlyTheseTimes(
        name: TaskName, delays: [Int64]
    ) throws {
        let test = try TestLibrary()
        let id = try test.library.enqueue(name, 7)
        for (number, delay) in delays.enumerated() {
            let lease = try #require(try test.library.leaseTask())
            #expect(lease.attempts == number + 1)
            try test.library.endTask(lease, .failed("why", isPassing: true), jitter: .none)
            let task = try test.library.task(id: id)
            #expect(task.state == .queued)
            #expect(task.nextRunAt == test.clock.now + TimeInterval(delay))
            test.clock.advance(.seconds(delay - 1))
            #expect(try test.library.leaseTask() == nil)
            test.clock.advance(.seconds(1))
        }
        let lease = try #require(try test.library.leaseTask())
        try test.library.endTask(lease, .failed("the last", isPassing: true), jitter: .none)
        let task = try test.library.task(id: id)
        #expect(task.state == .dead)
        #expect(task.lastError == "the last")
        let runs = try test.library.runs(taskID: id)
        #expect(runs.map(\.attempt) == Array(1...delays.count + 1))
        #expect(runs.map(\.error) == delays.map { _ in "why" } + ["the last"])
        #expect(runs.allSatisfy { $0.outcome == "failed" && $0.endedAt != nil })
    }

    @Test func jitterNeverShortensAWaitNorMakesItAQuarterLonger() throws {
        let schedule = TaskName.processMaterial.retrySchedule
        let delays = try (0..<1000).map { _ in
            try #require(schedule.delay(attempts: 2, jitter: .random))
        }
        #expect(delays.allSatisfy { (.seconds(120)...(.seconds(150))).contains($0) })
        #expect(Set(delays).count > 100)
    }

    @Test func aPermanentErrorIsNotTriedAgain() throws {
        let test = try TestLibrary()
        let id = try test.library.enqueue(.processMaterial, 1)
        let lease = try #require(try test.library.leaseTask())
        try test.library.endTask(lease, .failed("bad input", isPassing: false), jitter: .none)
        #expect(try test.library.task(id: id).state == .dead)
        test.clock.advance(.seconds(100_000))
        #expect(try test.library.leaseTask() == nil)
    }

    @Test func theSameWorkIsQueuedOnce() throws {
        let test = try TestLibrary()
        let first = try test.library.enqueue(.processMaterial, 1)
        #expect(try test.library.enqueue(.processMaterial, 1) == first)
        #expect(try test.library.enqueue(.processMaterial, 2) != first)
        #expect(try test.library.enqueue(.processMaterialEmbeddings, 1) != first)
        #expect(try test.library.taskCounts() == [.queued: 3])
    }

    @Test func workQueuedWhileItRunsIsDoneOnceMoreAfter() throws {
        let test = try TestLibrary()
        let id = try test.library.enqueue(.processMaterial, 1)
        let first = try #require(try test.library.leaseTask())
        for _ in 0..<3 { #expect(try test.library.enqueue(.processMaterial, 1) == id) }
        #expect(try test.library.leaseTask() == nil)
        try test.library.endTask(first, .succeeded)
        let second = try #require(try test.library.leaseTask())
        #expect(second.taskID == id && second.attempts == 1)
        try test.library.endTask(second, .succeeded)
        #expect(try test.library.task(id: id).state == .succeeded)
        #expect(try test.library.leaseTask() == nil)
    }

    @Test func theAttemptIsCountedBeforeTheWork() throws {
        let test = try TestLibrary()
        let id = try test.library.enqueue(.processMaterial, 1)
        _ = try test.library.leaseTask()
        #expect(try test.library.task(id: id).attempts == 1)
    }

    @Test func aLateWorkersEndChangesNothing() throws {
        let test = try TestLibrary()
        let other = try test.again()
        let id = try test.library.enqueue(.processMaterial, 1)
        let late = try #require(try test.library.leaseTask())
        // The lease runs out, for nobody renewed it.
        test.clock.advance(.seconds(61))
        try other.recoverAbandoned()
        let second = try #require(try other.leaseTask())
        // A run that was interrupted did not fail.
        #expect(second.attempts == 1)
        #expect(try !test.library.endTask(late, .succeeded))
        #expect(throws: PipelineError.leaseLost) {
            try test.library.write { db in try test.library.renew(db, late) }
        }
        #expect(try test.library.task(id: id).state == .running)
        #expect(try other.endTask(second, .succeeded))
    }

    @Test func aLeaseThatLastsIsNotTakenOver() throws {
        let test = try TestLibrary()
        let other = try test.again()
        try test.library.enqueue(.processMaterial, 1)
        _ = try test.library.leaseTask()
        test.clock.advance(.seconds(59))
        try other.recoverAbandoned()
        #expect(try other.leaseTask() == nil)
    }

    /// Whoever dies each time it works on a task is not asked for ever.
    @Test func runsThatEndWithTheirProcessAreCounted() throws {
        let test = try TestLibrary()
        let other = try test.again()
        let id = try test.library.enqueue(.processMaterial, 1)
        for number in 1...Library.interruptionLimit {
            let lease = try #require(try test.library.leaseTask())
            #expect(lease.attempts == 1)
            test.clock.advance(.seconds(61))
            try other.recoverAbandoned()
            let isDead = try test.library.task(id: id).state == .dead
            #expect(isDead == (number == Library.interruptionLimit))
        }
        #expect(
            try test.library.runs(taskID: id).map(\.outcome)
                == .init(repeating: "interrupted", count: Library.interruptionLimit))
    }

    @Test func aRunThatHadStoredSomethingDoesNotCount() throws {
        let test = try TestLibrary()
        let other = try test.again()
        let id = try test.library.enqueue(.processMaterial, 1)
        for _ in 1...20 {
            let lease = try #require(try test.library.leaseTask())
            try test.library.write { db in try test.library.renew(db, lease) }
            test.clock.advance(.seconds(61))
            try other.recoverAbandoned()
        }
        let task = try test.library.task(id: id)
        #expect(task.state == .queued && task.attempts == 0)
    }

    @Test func aStoppedRunIsGivenBackAtOnce() throws {
        let test = try TestLibrary()
        let id = try test.library.enqueue(.processMaterial, 1)
        let lease = try #require(try test.library.leaseTask())
        try test.library.endTask(lease, .stopped)
        #expect(try test.library.task(id: id).attempts == 0)
        #expect(try test.library.leaseTask()?.attempts == 1)
    }

    @Test func aDeadTaskIsRetriedWithItsStory() throws {
        let test = try TestLibrary()
        let id = try test.library.enqueue(.processMaterial, 1)
        let lease = try #require(try test.library.leaseTask())
        try test.library.endTask(lease, .failed("no", isPassing: false))
        #expect(try test.library.retryTask(id: id))
        #expect(
            try !test.library.retryTask(id: try test.library.enqueue(.processMaterial, 1)) == false)
        let again = try #require(try test.library.leaseTask())
        #expect(again.attempts == 1)
        try test.library.endTask(again, .succeeded)
        #expect(try test.library.runs(taskID: id).map(\.outcome) == ["failed", "succeeded"])
        #expect(try !test.library.retryTask(id: id))
    }

    @Test func manyWorkersGetEachTaskOnce() async throws {
        let test = try TestLibrary()
        for id in 0..<200 { try test.library.enqueue(.processMaterial, Int64(id)) }
        let path = test.path
        let taken = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let library = try Library(path: path)
                    var taken: [Int64] = []
                    while let lease = try library.leaseTask() {
                        taken.append(lease.argument)
                        try library.endTask(lease, .succeeded)
                    }
                    return taken
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(taken.sorted() == (0..<200).map(Int64.init))
    }
}
