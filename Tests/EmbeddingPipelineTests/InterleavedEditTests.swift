import EmbeddingEngine
import EmbeddingPipeline
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct InterleavedEditTests {
    /// Edits and deletions from one side, two workers from the other, all with connections of their
    /// own.
    @Test func theLastVersionWins() throws {
        let test = try TestLibrary()
        let editCount = Build.isOptimized ? 10_000 : 1_000
        let embedder = FakeEmbedder()
        let materials = try (0..<20).map { number in
            try test.material(TestLibrary.texts(20, prefix: "material \(number) text"))
        }
        try test.library.beginGeneration(embedder.model)
        let isDone = Monitor(0)
        let hasEnded = StopFlag()
        defer { hasEnded.count(after: 0) }
        for _ in 0..<2 {
            let library = try test.again()
            let hasStarted = Threads.start {
                let processor = ContentProcessor(library, embedder, memory: FixedMemory.plenty)
                do {
                    repeat { _ = try processor.processChunks(.init(.all)) } while !hasEnded.isSet
                } catch {
                    Issue.record(error)
                }
                isDone.withLock { $0 += 1 }
                isDone.notifyAll()
            }
            #expect(hasStarted)
        }

        var generator = SeededGenerator(seed: 11)
        var versions = Dictionary(
            uniqueKeysWithValues: materials.enumerated().map { number, id in
                (id, TestLibrary.texts(20, prefix: "material \(number) text"))
            })
        // Many edits a transaction would hide what happens between them; one a transaction takes a
        // disk that is asked to be sure. Both happen.
        for edit in 0..<editCount / 10 {
            let id = materials.randomElement(using: &generator)!
            var texts = versions[id]!
            for part in 0..<10 {
                switch Int.random(in: 0..<4, using: &generator) {
                case 0 where !texts.isEmpty:
                    texts.remove(at: Int.random(in: 0..<texts.count, using: &generator))
                case 1: texts.append("new \(edit) \(part)")
                default:
                    guard !texts.isEmpty else { continue }
                    texts[Int.random(in: 0..<texts.count, using: &generator)] =
                        "edited \(edit) \(part)"
                }
            }
            versions[id] = texts
            try test.library.replaceChunks(materialID: id, TestLibrary.drafts(texts))
        }
        hasEnded.count(after: 0)
        let ended = isDone.wait(timeout: .seconds(600)) { $0 == 2 ? true : nil }
        #expect(ended == true)
        _ = try test.processor(embedder).processChunks(.init(.all))
        for (id, texts) in versions {
            let chunks = try test.library.chunks(materialID: id)
            #expect(chunks.map(\.text) == texts)
            for chunk in chunks {
                #expect(chunk.embeddingStatus == .completed && chunk.claimID == nil)
                #expect(chunk.embedding == StoredVector.data(embedder.vector(chunk.text)))
            }
        }
    }
}
