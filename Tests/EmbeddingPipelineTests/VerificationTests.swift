import EmbeddingPipeline
import Foundation
import GRDB
import Testing

@Suite struct VerificationTests {
    private let embedder = FakeEmbedder()

    private func prepare() throws -> (TestLibrary, Int64) {
        let test = try TestLibrary()
        let material = try test.material(TestLibrary.texts(20))
        _ = try test.processor(embedder).processChunks(.init(.all))
        return (test, material)
    }

    @Test func aSoundLibraryIsFoundSound() throws {
        let (test, _) = try prepare()
        let report = try test.library.verify(embedder.model)
        #expect(report.isSound && report.chunkCount == 20 && report.requeuedMaterialCount == 0)
    }

    @Test(arguments: [
        ("embedding = NULL", \VerificationReport.missingCount),
        ("embedding = x'0000803f'", \.missingCount),
        ("embedding = zeroblob(16)", \.invalidCount),
        ("embedding = x'0000c07f000000000000000000000000'", \.invalidCount),
        ("model_fingerprint = NULL", \.staleCount),
        ("text = 'edited by hand'", \.editedCount),
    ])
    func whatIsWrongIsFoundQueuedAndMadeAnew(
        change: String, count: KeyPath<VerificationReport, Int> & Sendable
    ) throws {
        let (test, material) = try prepare()
        try test.library.write { db in
            try db.execute(sql: "UPDATE content_chunks SET \(change) WHERE ordinal IN (3, 7)")
        }
        let look = try test.library.verify(embedder.model, repairs: false)
        #expect(look[keyPath: count] == 2 && !look.isSound)
        #expect(try test.library.taskCounts() == [:])
        let report = try test.library.verify(embedder.model)
        #expect(report[keyPath: count] == 2)
        #expect(report.requeuedMaterialCount == 1)
        #expect(try test.library.taskCounts() == [.queued: 1])
        _ = try test.processor(embedder).processChunks(.init(.all))
        #expect(try test.library.verify(embedder.model).isSound)
        for chunk in try test.library.chunks(materialID: material) {
            #expect(chunk.embedding == StoredVector.data(embedder.vector(chunk.text)))
        }
    }

    /// As damage or another program may leave it.
    @Test(arguments: ["materials SET title = x'ff'", "content_chunks SET text = x'fffe'"])
    func aValueThatCannotBeThereIsAnErrorAndNoCrash(change: String) throws {
        let (test, _) = try prepare()
        try test.library.write { db in try db.execute(sql: "UPDATE \(change)") }
        let damage = PipelineError.corrupt(
            path: test.path, reason: "a row holds what cannot be there")
        #expect(throws: damage) {
            try test.library.search(embedder.vector("text 1"), embedder.model, count: 3)
        }
    }

    @Test func orphansAreRemoved() throws {
        let (test, material) = try prepare()
        let queue = try DatabaseQueue(path: test.path)
        try queue.writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    PRAGMA foreign_keys = OFF;
                    DELETE FROM materials WHERE id = \(material);
                    """)
        }
        try test.library.enqueue(.processMaterial, 999)
        let report = try test.library.verify(embedder.model)
        #expect(report.orphanedCount == 21)
        #expect(try test.library.verify(embedder.model).isSound)
    }
}
