import EmbeddingEngine
import EmbeddingPipeline
import Foundation
import Logging
import TestSupport
import Testing

@Suite struct WorkerTests {
    private func worker(
        _ test: TestLibrary, _ embedder: FakeEmbedder, concurrency: Int = 1,
        memory: any MemoryReading = FixedMemory.plenty
    ) throws -> Worker {
        try test.library.beginGeneration(embedder.model)
        let processor = ContentProcessor(test.library, embedder, memory: memory)
        let materials = MaterialProcessor(
            test.library, model: try TinyModel.embedder().model)
        var options = Worker.Options()
        options.runsOnce = true
        options.concurrency = concurrency
        options.pollInterval = .milliseconds(10)
        options.jitter = .none
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        return Worker(TaskRunner(processor, materials), options, logger: logger)
    }

    @Test(arguments: [1, 4])
    func aSubjectsTaskEmbedsAllItsMaterials(concurrency: Int) throws {
        let test = try TestLibrary()
        let materials = try (0..<6).map { number in
            try test.material(TestLibrary.texts(30, prefix: "m\(number)"))
        }
        let path = try test.directory.write("unread.txt", Data("not read yet".utf8))
        let subject = try test.library.subject("subject").id!
        let unread = try test.library.addMaterial(
            subjectID: subject, title: "unread", sourcePath: path)
        try test.library.enqueue(.processSubjectEmbeddings, subject)
        let embedder = FakeEmbedder()
        let report = try worker(test, embedder, concurrency: concurrency).run { false }
        // A material that is queued anew while it runs runs once more.
        #expect(report.succeededCount >= 8 && report.failedCount + report.stoppedCount == 0)
        for id in materials + [unread.id!] {
            #expect(try test.library.material(id: id).processingStatus == .completed)
        }
        #expect(embedder.texts.count == 181 && Set(embedder.texts).count == 181)
        #expect(try test.library.taskCounts() == [.succeeded: 8])
    }

    @Test func aMaterialWithAFailingChunkIsTriedAgainOnlyIfItMayHelp() throws {
        let test = try TestLibrary()
        let permanent = try test.material(["a", "TOO LONG"])
        let task = try test.library.enqueue(.processMaterialEmbeddings, permanent)
        let embedder = FakeEmbedder()
        #expect(try worker(test, embedder).run { false }.failedCount == 1)
        #expect(try test.library.task(id: task).state == .dead)
        #expect(try test.library.task(id: task).lastError?.contains("300 tokens") == true)

        let missing = try test.library.addMaterial(
            subjectID: try test.library.subject("subject").id!, title: "gone",
            sourcePath: test.directory.path("gone.txt"))
        let second = try test.library.enqueue(.processMaterial, missing.id!)
        #expect(try worker(test, embedder).run { false }.failedCount == 1)
        #expect(try test.library.task(id: second).state == .queued)
        #expect(try test.library.task(id: second).nextRunAt == test.clock.now + 60)
        _ = try test.directory.write("gone.txt", Data("there now".utf8))
        test.clock.advance(.seconds(60))
        #expect(try worker(test, embedder).run { false }.succeededCount == 1)
        #expect(try test.library.material(id: missing.id!).processingStatus == .completed)
    }

    @Test func oneChunkWaitsWhileMemoryIsFull() throws {
        let test = try TestLibrary()
        let material = try test.material(["a"])
        let chunk = try test.library.chunks(materialID: material)[0].id!
        let task = try test.library.enqueue(.generateChunkEmbedding, chunk)
        let memory = FixedMemory(MemoryState(available: 1 << 20, usedShare: 0.91))
        let embedder = FakeEmbedder()
        #expect(try worker(test, embedder, memory: memory).run { false }.failedCount == 1)
        #expect(try test.library.task(id: task).lastError == "memory is full: 91 %")
        memory.set(MemoryState(available: 1 << 30, usedShare: 0.5))
        test.clock.advance(.seconds(10))
        #expect(try worker(test, embedder, memory: memory).run { false }.succeededCount == 1)
        #expect(try test.library.chunk(id: chunk).embeddingStatus == .completed)
    }

    @Test func anUpdateGivesFailedChunksAnotherTry() throws {
        let test = try TestLibrary()
        let material = try test.material(["a", "b"])
        let embedder = FakeEmbedder()
        embedder.failPassing("b", times: 2)
        _ = try test.processor(embedder).processChunks(.init(.all))
        #expect(try test.library.chunks(materialID: material)[1].embeddingStatus == .failed)
        try test.library.enqueue(.updateExistingMaterialEmbeddings, material)
        _ = try worker(test, embedder).run { false }
        let chunk = try test.library.chunks(materialID: material)[1]
        #expect(chunk.embeddingStatus == .completed && chunk.attempts == 1)
    }

    @Test func whatIsNotThereIsAPermanentError() throws {
        let test = try TestLibrary()
        for name in TaskName.allCases { try test.library.enqueue(name, 99) }
        _ = try worker(test, FakeEmbedder()).run { false }
        #expect(try test.library.taskCounts() == [.dead: 5])
    }

    @Test func aStopEndsTheWorkerAndGivesTheTaskBack() throws {
        let test = try TestLibrary()
        let material = try test.material(TestLibrary.texts(200))
        let task = try test.library.enqueue(.processMaterialEmbeddings, material)
        let stop = StopFlag()
        let embedder = FakeEmbedder(onEmbed: { _ in stop.count(after: 4) })
        let report = try worker(test, embedder).run { stop.isSet }
        #expect(report.stoppedCount == 1)
        #expect(try test.library.task(id: task).state == .queued)
        #expect(try test.library.task(id: task).attempts == 0)
        #expect(try test.library.chunks(materialID: material).allSatisfy { $0.claimID == nil })
        #expect(try worker(test, FakeEmbedder()).run { false }.succeededCount == 1)
    }
}

@Suite struct TaskMemoryTests {
    @Test func tasksThatSucceededAreForgottenAfterAWeekTheDeadAreNot() throws {
        let test = try TestLibrary()
        for argument: Int64 in [1, 2] { try test.library.enqueue(.processMaterial, argument) }
        let first = try #require(try test.library.leaseTask())
        try test.library.endTask(first, .succeeded)
        let second = try #require(try test.library.leaseTask())
        try test.library.endTask(second, .failed("no", isPassing: false))
        let week = TimeInterval(7 * 24 * 3600)
        #expect(try test.library.removeSucceededTasks(before: test.clock.now) == 0)
        #expect(try test.library.removeSucceededTasks(before: test.clock.now + week) == 1)
        #expect(try test.library.taskCounts() == [.dead: 1])
    }
}

@Suite struct WaitingTests {
    /// Somebody else has a chunk in work, and takes his time.
    @Test func aTaskThatWaitsForOthersMakesRoom() throws {
        let test = try TestLibrary()
        let embedder = FakeEmbedder()
        let held = try test.material(["held"])
        let free = try test.material(["free"])
        try test.library.beginGeneration(embedder.model)
        let other = try test.again()
        var ids = try test.library.chunks(materialID: held).map { $0.id! }
        let claim = try #require(
            try other.write { db in
                try other.claim(db, limit: 1, .any, embedder.model, isAlone: false) {
                    ids.popLast()
                }.0
            })
        let first = try test.library.enqueue(.processMaterialEmbeddings, held)
        let second = try test.library.enqueue(.processMaterialEmbeddings, free)
        let processor = ContentProcessor(test.library, embedder, memory: FixedMemory.plenty)
        let materials = MaterialProcessor(test.library, model: try TinyModel.embedder().model)
        var options = Worker.Options()
        options.pollInterval = .milliseconds(10)
        let worker = Worker(
            TaskRunner(processor, materials), options,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let library = test.library
        let report = try worker.run {
            do { return try library.task(id: second).state == .succeeded } catch { return true }
        }
        #expect(report.succeededCount == 1 && report.stoppedCount >= 1)
        let task = try test.library.task(id: first)
        #expect(task.state == .queued && task.attempts == 0)
        #expect(task.nextRunAt == test.clock.now + 5)
        _ = try other.write { db in
            try other.settle(db, claim, [.vector(embedder.vector("held"))], embedder.model)
        }
        test.clock.advance(.seconds(5))
        options.runsOnce = true
        let again = Worker(
            TaskRunner(processor, materials), options,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        #expect(try again.run { false }.succeededCount == 1)
    }
}
