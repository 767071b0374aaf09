import EmbeddingEngine
import EmbeddingPipeline
import Foundation
import GRDB
import Synchronization
import Testing

@Suite struct ContentProcessorTests {
    @Test(arguments: [1, 5, 10, 100], [1, 49, 50, 230])
    func everyChunkGetsItsVector(batchSize: Int, count: Int) throws {
        let test = try TestLibrary()
        let material = try test.material(TestLibrary.texts(count))
        let embedder = FakeEmbedder()
        var options = ContentProcessor.Options()
        options.batchSize = batchSize
        let report = try test.processor(embedder).processChunks(.init(.all), options)
        #expect(report.completedCount == count)
        #expect(report.failures.isEmpty && !report.isStopped)
        let chunks = try test.library.chunks(materialID: material)
        for chunk in chunks {
            #expect(chunk.embeddingStatus == .completed && chunk.attempts == 1)
            #expect(chunk.embedding == StoredVector.data(embedder.vector(chunk.text)))
            #expect(chunk.claimID == nil && chunk.modelFingerprint == "model-a")
        }
        #expect(try test.library.material(id: material).processingStatus == .completed)
        // Few chunks go at once; of many, no more than a batch is in work.
        if count >= 50 { #expect(embedder.largestInWork <= batchSize) }
    }

    @Test func withMemoryOverTheThresholdFewChunksGoInBatchesToo() throws {
        let test = try TestLibrary()
        _ = try test.material(TestLibrary.texts(40))
        let embedder = FakeEmbedder()
        let memory = FixedMemory(MemoryState(available: 30 << 20, usedShare: 0.82))
        _ = try test.processor(embedder, memory: memory).processChunks(.init(.all))
        // 15 MiB at 2 MiB a chunk.
        #expect(embedder.largestInWork <= 7)
        #expect(embedder.releases == 0)
    }

    @Test func theSizeFollowsTheMemoryAndCachesAreGivenBack() throws {
        let test = try TestLibrary()
        _ = try test.material(TestLibrary.texts(300))
        let memory = FixedMemory(MemoryState(available: 1 << 30, usedShare: 0.3))
        let embedder = FakeEmbedder(onEmbed: { _ in
            memory.set(MemoryState(available: 1 << 20, usedShare: 0.9))
        })
        let report = try test.processor(embedder, memory: memory).processChunks(.init(.all))
        #expect(report.completedCount == 300)
        #expect(embedder.batches[0].count == 50)
        #expect(embedder.batches.dropFirst(2).allSatisfy { $0.count <= 5 })
        #expect(embedder.releases > 50)
    }

    @Test func aFailingChunkIsMarkedAndTheRestGoesOn() throws {
        let test = try TestLibrary()
        var texts = TestLibrary.texts(60)
        texts[31] = "TOO LONG"
        let material = try test.material(texts)
        let embedder = FakeEmbedder()
        let report = try test.processor(embedder).processChunks(.init(.all))
        #expect(report.completedCount == 59)
        #expect(report.failures.map(\.isPassing) == [false])
        let chunk = try test.library.chunks(materialID: material)[31]
        #expect(chunk.embeddingStatus == .failed && chunk.attempts == 1)
        #expect(
            chunk.lastError
                == "300 tokens, more than the model's window of 256; cut the material anew")
        #expect(try test.library.material(id: material).processingStatus == .failed)
        // Edited, it is embedded, and the material is complete.
        try test.library.replaceText(chunkID: chunk.id!, "short", tokenCount: 3)
        #expect(try test.library.chunk(id: chunk.id!).embeddingStatus == .pending)
        _ = try test.processor(embedder).processChunks(.init(.material(material)))
        #expect(try test.library.material(id: material).processingStatus == .completed)
    }

    @Test func whatFailsInCompanyIsTriedAloneOnce() throws {
        let test = try TestLibrary()
        let material = try test.material(TestLibrary.texts(60))
        let embedder = FakeEmbedder()
        embedder.failPassing("text 5", times: 1)
        embedder.failPassing("text 6", times: 2)
        let report = try test.processor(embedder).processChunks(.init(.all))
        #expect(report.completedCount == 59)
        let chunks = try test.library.chunks(materialID: material)
        #expect(chunks.filter { $0.embeddingStatus == .failed }.map(\.text) == ["text 6"])
        #expect(embedder.batches.filter { $0.count == 1 } == [["text 5"], ["text 6"]])
    }

    @Test func equalTextsAreEmbeddedOnce() throws {
        let test = try TestLibrary()
        let texts = TestLibrary.texts(30)
        let first = try test.material(texts + texts)
        let second = try test.material(texts, subject: "other")
        let embedder = FakeEmbedder()
        let report = try test.processor(embedder).processChunks(.init(.all))
        #expect(embedder.texts.sorted() == texts.sorted())
        #expect(report.completedCount == 30 && report.reusedCount == 60)
        for material in [first, second] {
            #expect(try test.library.material(id: material).processingStatus == .completed)
            for chunk in try test.library.chunks(materialID: material) {
                #expect(chunk.embedding == StoredVector.data(embedder.vector(chunk.text)))
            }
        }
        // A material that comes later finds its vectors there.
        _ = try test.material(texts.reversed())
        #expect(try test.processor(embedder).processChunks(.init(.all)).reusedCount == 30)
        #expect(embedder.texts.count == 30)
    }

    @Test func aPlanKnowsWhatWillBeComputed() throws {
        let test = try TestLibrary()
        let embedder = FakeEmbedder()
        func plan(_ selection: ChunkSelection = .init(.all)) throws -> [Int] {
            let plan = try MissingEmbeddings.plan(test.library, selection, embedder.model)
            return [plan.need.chunkCount, plan.texts.textCount, plan.texts.tokenCount]
        }
        let first = try test.material(["a", "bb", "a", "ccc"])
        #expect(try plan() == [4, 3, 6])
        _ = try test.processor(embedder).processChunks(.init(.material(first)))
        #expect(try plan() == [0, 0, 0])
        let second = try test.material(["a", "dddd", "dddd"], subject: "other")
        #expect(try plan() == [3, 1, 4])
        #expect(try plan(.init(.material(first))) == [0, 0, 0])
        #expect(try plan(.init(.material(second), .pending)) == [3, 1, 4])
        #expect(try plan(.init(.material(second), .failed)) == [0, 0, 0])
        let before = embedder.texts.count
        _ = try test.processor(embedder).processChunks(.init(.all))
        #expect(embedder.texts.count == before + 1)
    }

    @Test func anErrorThatConcernsAllEndsTheRunAndGivesTheChunksBack() throws {
        let test = try TestLibrary()
        var texts = TestLibrary.texts(60)
        texts[40] = "NO THREADS"
        let material = try test.material(texts)
        #expect(throws: PipelineError.engine(.noThreads)) {
            try test.processor(FakeEmbedder()).processChunks(.init(.all))
        }
        let chunks = try test.library.chunks(materialID: material)
        #expect(chunks.allSatisfy { $0.claimID == nil })
        #expect(chunks.allSatisfy { $0.attempts == ($0.embeddingStatus == .completed ? 1 : 0) })
    }

    @Test func aStopStoresWhatIsDoneAndGivesTheRestBack() throws {
        let test = try TestLibrary()
        let material = try test.material(TestLibrary.texts(200))
        let stop = StopFlag()
        let embedder = FakeEmbedder(onEmbed: { _ in stop.count(after: 4) })
        var options = ContentProcessor.Options()
        options.batchSize = 10
        let report = try test.processor(embedder).processChunks(
            .init(.all), options, isStopRequested: { stop.isSet })
        #expect(report.isStopped)
        #expect((1..<200).contains(report.completedCount))
        let chunks = try test.library.chunks(materialID: material)
        #expect(chunks.count { $0.embeddingStatus == .completed } == report.completedCount)
        #expect(chunks.allSatisfy { $0.claimID == nil })
        #expect(chunks.allSatisfy { $0.attempts == ($0.embeddingStatus == .completed ? 1 : 0) })
    }

    @Test(arguments: [
        (ChunkSelection.Filter.any, ["failed", "pending", "stale", "unlike"]),
        (.failed, ["failed"]), (.pending, ["pending"]),
        (.missing, ["failed", "pending", "stale", "unlike"]),
    ])
    func filtersSelect(filter: ChunkSelection.Filter, expected: [String]) throws {
        let test = try TestLibrary()
        let material = try test.material(["good", "failed", "pending", "stale", "unlike"])
        let embedder = FakeEmbedder()
        _ = try test.processor(embedder).processChunks(.init(.all))
        try test.library.write { db in
            try db.execute(
                sql: """
                    INSERT INTO models VALUES ('old', 'old', 4, 1, '2025-01-01');
                    UPDATE content_chunks SET embedding_status = 'failed', embedding = NULL
                        WHERE text = 'failed';
                    UPDATE content_chunks SET embedding_status = 'pending', embedding = NULL
                        WHERE text = 'pending';
                    UPDATE content_chunks SET model_fingerprint = 'old' WHERE text = 'stale';
                    UPDATE content_chunks SET embedding = x'00' WHERE text = 'unlike';
                    """)
        }
        let before = embedder.texts.count
        let report = try test.processor(embedder).processChunks(
            ChunkSelection(.material(material), filter))
        #expect(embedder.texts.dropFirst(before).sorted() == expected)
        #expect(report.completedCount == expected.count)
    }

    @Test func targetsSelect() throws {
        let test = try TestLibrary()
        let a = try test.material(["a1", "a2"], subject: "a")
        _ = try test.material(["b1"], subject: "b")
        let embedder = FakeEmbedder()
        let processor = try test.processor(embedder)
        let chunk = try test.library.chunks(materialID: a)[1]
        _ = try processor.processChunks(.init(.chunk(chunk.id!)))
        #expect(embedder.texts == ["a2"])
        _ = try processor.processChunks(.init(.subject(try test.library.subject("b").id!)))
        #expect(embedder.texts == ["a2", "b1"])
        _ = try processor.processChunks(.init(.material(a)))
        #expect(embedder.texts == ["a2", "b1", "a1"])
    }

    @Test func progressCountsUpToTheEnd() throws {
        let test = try TestLibrary()
        // With copies: they count with the text that serves them.
        _ = try test.material(TestLibrary.texts(60) + TestLibrary.texts(60))
        let seen = Mutex<[ProcessingProgress]>([])
        _ = try test.processor(FakeEmbedder()).processChunks(
            .init(.all), onProgress: { progress in seen.withLock { $0.append(progress) } })
        let progress = seen.withLock { $0 }
        #expect(progress.map(\.doneCount) == progress.map(\.doneCount).sorted())
        let last = try #require(progress.last)
        #expect(last.doneCount == 120 && last.totalCount == 120)
        #expect(last.doneTokenCount == last.totalTokenCount)
        #expect(last.remaining == .zero && last.batchCount == progress.count)
        #expect(last.memory.usedShare == 0.2)
    }

    @Test func nothingIsDoneForAModelThatIsNotTheLibrarys() throws {
        let test = try TestLibrary()
        _ = try test.material(["a"])
        try test.library.beginGeneration(FakeEmbedder("model-b").model)
        let processor = ContentProcessor(test.library, FakeEmbedder("model-a"))
        #expect(throws: PipelineError.otherModel(library: "model-b", given: "model-a")) {
            try processor.processChunks(.init(.all))
        }
    }
}

/// Set after something has happened so many times.
final class StopFlag: Sendable {
    private let left = Mutex<Int?>(nil)
    var isSet: Bool { left.withLock { $0.map { $0 <= 0 } ?? false } }
    func count(after limit: Int) { left.withLock { $0 = ($0 ?? limit) - 1 } }
}

@Suite struct ForeignWriterTests {
    /// Another program may fill the tables with SQL.
    @Test func chunksWithoutAHashOrWithThatOfAnotherTextAreEmbedded() throws {
        let test = try TestLibrary()
        let material = try test.material(["first", "second"])
        let embedder = FakeEmbedder()
        _ = try test.processor(embedder).processChunks(.init(.all))
        try test.library.write { db in
            try db.execute(
                sql: """
                    INSERT INTO content_chunks (material_id, ordinal, text)
                        VALUES (\(material), 2, 'third');
                    INSERT INTO content_chunks (material_id, ordinal, text, text_hash)
                        SELECT \(material), 3, 'fourth', text_hash
                        FROM content_chunks WHERE text = 'first';
                    """)
        }
        _ = try test.processor(embedder).processChunks(.init(.all))
        for chunk in try test.library.chunks(materialID: material) {
            #expect(chunk.embedding == StoredVector.data(embedder.vector(chunk.text)))
            #expect(chunk.textHash == TextHash.of(chunk.text))
        }
        #expect(try test.library.verify(embedder.model).isSound)
    }
}

@Suite struct CopyTests {
    @Test func aTextThatFailsIsTriedOnceForAllItsCopies() throws {
        let test = try TestLibrary()
        let materials = try (0..<3).map { try test.material(["TOO LONG", "fine \($0)"]) }
        let embedder = FakeEmbedder()
        let report = try test.processor(embedder).processChunks(.init(.all))
        #expect(report.failures.count == 1 && report.failedCopyCount == 2)
        // In company, then alone.
        #expect(embedder.texts.count { $0 == "TOO LONG" } == 2)
        for material in materials {
            #expect(try test.library.chunks(materialID: material)[0].embeddingStatus == .failed)
            #expect(try test.library.material(id: material).processingStatus == .failed)
        }
    }

    @Test func aFailedChunkStaysFailedWhileItIsTriedAgain() throws {
        let test = try TestLibrary()
        let material = try test.material(["again"])
        let library = test.library
        let embedder = FakeEmbedder(onEmbed: { _ in
            do {
                let chunk = try library.chunks(materialID: material)[0]
                #expect(chunk.claimID != nil)
                #expect(chunk.embeddingStatus == (chunk.attempts == 1 ? .pending : .failed))
            } catch {
                Issue.record(error)
            }
        })
        embedder.failPassing("again", times: 1)
        let processor = try test.processor(embedder)
        #expect(try processor.processChunks(.init(.all)).failures.count == 1)
        #expect(try processor.processChunks(.init(.all, .failed)).completedCount == 1)
    }

    @Test func theBatchSizeHoldsForFewChunksToo() throws {
        let test = try TestLibrary()
        _ = try test.material(TestLibrary.texts(20))
        let embedder = FakeEmbedder()
        var options = ContentProcessor.Options()
        options.batchSize = 2
        _ = try test.processor(embedder).processChunks(.init(.all), options)
        #expect(embedder.largestInWork <= 2)
    }
}
