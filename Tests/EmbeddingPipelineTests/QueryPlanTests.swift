import EmbeddingPipeline
import Foundation
import GRDB
import TestSupport
import Testing

@Suite struct QueryPlanTests {
    private let model = FakeEmbedder().model

    private func plan(_ library: Library, _ sql: String) throws -> String {
        try library.read { db in
            try Row.fetchAll(
                db, sql: "EXPLAIN QUERY PLAN \(sql)",
                arguments: StatementArguments(ChunkSelection.arguments(model))
            ).map { $0["detail"] as String }.joined(separator: "; ")
        }
    }

    /// Chunks with statuses, vectors and models as they are in a large library, and no texts to
    /// speak of.
    private func fill(_ library: Library, count: Int) throws {
        try library.beginGeneration(model)
        _ = try library.addSubject("many")
        try library.write { db in
            try db.execute(
                sql: """
                    WITH RECURSIVE n(i) AS (
                        SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count / 100)
                    INSERT INTO materials (subject_id, title, processing_status, created_at)
                        SELECT 1, 'm', 'completed', '2026-01-01' FROM n;
                    """, arguments: ["count": count])
            try db.execute(
                sql: """
                    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :last)
                    INSERT INTO content_chunks (material_id, ordinal, text, text_hash, token_count,
                        embedding, embedding_byte_count, embedding_status, model_fingerprint)
                    SELECT i / 100 + 1, i % 100, 't', randomblob(32), 200,
                        iif(i % 1000 < 998, zeroblob(16), NULL), iif(i % 1000 < 998, 16, NULL),
                        CASE i % 1000 WHEN 998 THEN 'failed' WHEN 999 THEN 'pending'
                            ELSE 'completed' END,
                        iif(i % 1000 < 998, :model, NULL) FROM n;
                    """, arguments: ["last": count - 1, "model": model.fingerprint])
        }
    }

    @Test func statusQueriesReadAnIndexAndNoVector() throws {
        let test = try TestLibrary()
        let count = Build.isOptimized ? 1_000_000 : 50_000
        try fill(test.library, count: count)
        let byMaterial = "USING COVERING INDEX content_chunks_by_material"
        let byStatus = "USING COVERING INDEX content_chunks_by_status"
        #expect(
            try plan(test.library, Library.chunkStatisticsSQL("TRUE"))
                == "SCAN content_chunks \(byMaterial)")
        #expect(
            try plan(test.library, Library.chunkStatisticsSQL("material_id = 3"))
                == "SEARCH content_chunks \(byMaterial) (material_id=?)")
        for status in EmbeddingStatus.allCases {
            #expect(
                try plan(
                    test.library,
                    "SELECT count(*) FROM content_chunks WHERE embedding_status = '\(status.rawValue)'"
                )
                    == "SEARCH content_chunks \(byStatus) (embedding_status=?)")
        }
        let condition = ChunkSelection(.all).condition
        #expect(
            try plan(
                test.library,
                "SELECT count(*), sum(token_count) FROM content_chunks WHERE \(condition)")
                == "SCAN content_chunks \(byMaterial)")
        #expect(
            try plan(
                test.library,
                "SELECT material_id FROM content_chunks WHERE material_id = 3 AND \(condition)")
                == "SEARCH content_chunks \(byMaterial) (material_id=?)")

        var found: LibraryStatistics?
        let time = try ProcessorTime.ofThread {
            found = try test.library.statistics(.all, model)
        }
        let statistics = try #require(found)
        #expect(statistics.chunks.chunkCount == count)
        #expect(statistics.chunks.failedCount == count / 1000)
        #expect(statistics.chunks.pendingCount == count / 1000)
        #expect(statistics.chunks.currentCount == count / 1000 * 998)
        #expect(try test.library.need(.init(.all), model).chunkCount == count / 500)
        // A third of a second for a million; reading the vectors too would take many.
        #expect(time > .zero && time < .seconds(3))
    }
}
