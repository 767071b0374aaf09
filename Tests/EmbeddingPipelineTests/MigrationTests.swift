import EmbeddingPipeline
import Foundation
import GRDB
import TestSupport
import Testing

@Suite struct MigrationTests {
    /// A library as the first version left it: embeddings, but no status.
    private func makeOldLibrary(_ path: String) throws {
        let queue = try DatabaseQueue(path: path)
        try Migrations.migrator.migrate(queue, upTo: "1 subjects, materials and chunks")
        try queue.write { db in
            let time = "2025-01-02 03:04:05.678"
            try db.execute(
                sql: """
                    INSERT INTO subjects VALUES (1, 'old', :time);
                    INSERT INTO materials (id, subject_id, title, created_at)
                        VALUES (1, 1, 'm', :time);
                    """, arguments: ["time": time])
            for (ordinal, embedding) in [
                StoredVector.data([1, 0, 0, 0]), nil, Data(), StoredVector.data([0, 1, 0, 0]),
            ].enumerated() {
                try db.execute(
                    sql: """
                        INSERT INTO content_chunks
                            (material_id, ordinal, text, embedding, created_at)
                        VALUES (1, ?, ?, ?, ?)
                        """, arguments: [ordinal, "text \(ordinal)", embedding, time])
            }
        }
    }

    @Test func chunksWithAnEmbeddingBecomeCompletedTheOthersPending() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("old.sqlite")
        try makeOldLibrary(path)
        let library = try Library(path: path)
        let chunks = try library.chunks(materialID: 1)
        #expect(chunks.map(\.embeddingStatus) == [.completed, .pending, .pending, .completed])
        #expect(chunks.map(\.text) == ["text 0", "text 1", "text 2", "text 3"])
        #expect(chunks[0].embedding == StoredVector.data([1, 0, 0, 0]))
        #expect(chunks.allSatisfy { $0.updatedAt == $0.createdAt && $0.attempts == 0 })
        #expect(chunks.allSatisfy { $0.textHash == TextHash.of($0.text) })
        #expect(chunks.allSatisfy { $0.modelFingerprint == nil })
    }

    /// Nobody knows which model made them: they are made anew.
    @Test func vectorsFromBeforeAreInNeed() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("old.sqlite")
        try makeOldLibrary(path)
        let library = try Library(path: path)
        let embedder = FakeEmbedder()
        try library.beginGeneration(embedder.model)
        #expect(try library.need(ChunkSelection(.all), embedder.model).chunkCount == 4)
        let report = try ContentProcessor(library, embedder).processChunks(ChunkSelection(.all))
        #expect(report.completedCount == 4)
        #expect(
            try library.chunks(materialID: 1).allSatisfy {
                $0.modelFingerprint == "model-a" && $0.hasEmbedding(dimension: 4)
            })
    }

    @Test func aLibraryOfANewerProgramIsRefused() throws {
        let test = try TestLibrary()
        try test.library.write { db in
            try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('9 from the future')")
        }
        #expect(throws: PipelineError.newerSchema(path: test.path)) { try test.again() }
    }

    @Test func aStatusOutsideTheThreeIsRefusedByTheDatabase() throws {
        let test = try TestLibrary()
        _ = try test.material(["a"])
        #expect(throws: PipelineError.self) {
            try test.library.write { db in
                try db.execute(sql: "UPDATE content_chunks SET embedding_status = 'done'")
            }
        }
    }

    @Test(arguments: [
        ("3.40.1", JournalMode.delete), ("3.51.2", .delete), ("3.51.3", .wal), ("3.52.0", .wal),
        ("4.0.0", .wal),
    ])
    func theJournalModeDependsOnTheLibrarysVersion(version: String, mode: JournalMode) {
        #expect(JournalMode.safe(forLibrary: version) == mode)
    }

    @Test func transactionsAreOnDiskWhenTheyReturn() throws {
        let test = try TestLibrary()
        try test.library.read { db in
            #expect(try Int.fetchOne(db, sql: "PRAGMA synchronous") == 2)
            #expect(try Bool.fetchOne(db, sql: "PRAGMA foreign_keys") == true)
            let version = try String.fetchOne(db, sql: "SELECT sqlite_version()") ?? ""
            #expect(
                try String.fetchOne(db, sql: "PRAGMA journal_mode")
                    == JournalMode.safe(forLibrary: version).rawValue)
        }
    }
}
