import Foundation
import GRDB

extension Library {
    /// Looks at every vector, and puts right what can be: invalid vectors are removed and their
    /// materials queued, orphans deleted.
    ///
    /// - Parameters:
    ///   - repairs: false only looks.
    ///   - checksFile: whether SQLite checks the whole file too; others cannot write meanwhile.
    ///   - onProgress: hears of chunks seen and all; false stops.
    /// - Throws: `PipelineError`; `stopped`.
    public func verify(
        _ model: ModelIdentity, repairs: Bool = true, checksFile: Bool = true,
        onProgress: (_ done: Int, _ total: Int) -> Bool = { _, _ in true }
    ) throws(PipelineError) -> VerificationReport {
        var report = VerificationReport()
        let damage =
            try !checksFile
            ? []
            : read { db in
                try String.fetchAll(db, sql: "PRAGMA integrity_check(20)")
                    .flatMap { $0.split(separator: "\n").map(String.init) }
                    .filter { $0 != "ok" && !$0.hasPrefix("***") }
            }
        report.damage = damage
        guard damage.isEmpty else { return report }

        let total = try read { db in try ContentChunk.fetchCount(db) }
        var last: Int64 = 0
        var materials: Set<Int64> = []
        while true {
            guard onProgress(report.chunkCount, total) else { throw .stopped }
            let page = try read { db in try Self.findings(db, after: last, model) }
            guard let end = page.last?.id else { break }
            last = end
            report.chunkCount += page.count
            let bad = page.filter { $0.kind != .sound }
            for finding in bad { report.count(finding.kind) }
            materials.formUnion(bad.map(\.materialID))
            if repairs, !bad.isEmpty { try repair(bad) }
        }
        report.orphanedCount += try removeOrphans(repairs: repairs)
        if repairs { report.requeuedMaterialCount = try requeue(materials) }
        return report
    }

    fileprivate enum FindingKind { case sound, missing, stale, invalid, edited, orphaned }

    private struct Finding {
        var id: Int64
        var materialID: Int64
        var kind: FindingKind
    }

    /// How many chunks are looked at in one transaction.
    private static let pageSize = 2000

    private static func findings(
        _ db: Database, after id: Int64, _ model: ModelIdentity
    ) throws -> [Finding] {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT id, material_id, context, text, text_hash, embedding_status, model_fingerprint,
                    embedding_byte_count, is_vector(embedding, ?, ?) AS is_valid,
                    EXISTS (SELECT 1 FROM materials WHERE id = material_id) AS has_material
                FROM content_chunks WHERE id > ? ORDER BY id LIMIT ?
                """, arguments: [model.dimension, model.isUnit, id, pageSize])
        var findings: [Finding] = []
        while let row = try rows.next() {
            findings.append(
                Finding(
                    id: try row.value("id"), materialID: try row.value("material_id"),
                    kind: try kind(row, model)))
        }
        return findings
    }

    private static func kind(
        _ row: Row, _ model: ModelIdentity
    ) throws -> FindingKind {
        if !(try row.value("has_material")) { return .orphaned }
        let hash: Data? = try row.value("text_hash")
        if hash != TextHash.of(try row.value("text"), context: try row.value("context")) {
            return .edited
        }
        let byteCount: Int? = try row.value("embedding_byte_count")
        guard EmbeddingStatus(rawValue: try row.value("embedding_status")) == .completed else {
            return .sound
        }
        if byteCount == nil { return .missing }
        let fingerprint: String? = try row.value("model_fingerprint")
        if fingerprint != model.fingerprint { return .stale }
        if byteCount != model.byteCount { return .missing }
        return try row.value("is_valid") ? .sound : .invalid
    }

    private func repair(_ findings: [Finding]) throws(PipelineError) {
        try write { db in
            for finding in findings {
                switch finding.kind {
                case .sound, .stale: break
                case .missing, .invalid: try self.clear(db, finding)
                case .edited:
                    let text = try String.fetchOne(
                        db,
                        sql:
                            "SELECT coalesce(context, '') || text FROM content_chunks WHERE id = ?",
                        arguments: [finding.id])
                    try db.execute(
                        sql: "UPDATE content_chunks SET text_hash = ? WHERE id = ?",
                        arguments: [TextHash.of(text ?? ""), finding.id])
                    try self.clear(db, finding)
                case .orphaned:
                    try db.execute(
                        sql: "DELETE FROM content_chunks WHERE id = ?", arguments: [finding.id])
                }
            }
        }
    }

    private func clear(_ db: Database, _ finding: Finding) throws {
        try db.execute(
            sql: """
                UPDATE content_chunks SET embedding = NULL,
                        embedding_byte_count = NULL, embedding_status = 'pending',
                    attempts = 0, interruptions = 0, lone_interruptions = 0,
                        is_set_aside = 0, last_error = NULL,
                    claim_id = NULL, updated_at = ? WHERE id = ?
                """, arguments: [clock.now, finding.id])
        try updateProcessingStatus(db, finding.materialID)
    }

    /// What belongs to rows that are not there any more, beside the chunks.
    private func removeOrphans(repairs: Bool) throws(PipelineError) -> Int {
        let conditions = [
            "previous_embeddings": "chunk_id NOT IN (SELECT id FROM content_chunks)",
            "tasks": """
            state = 'queued' AND CASE name
                WHEN 'process_subject_embeddings'
                    THEN argument NOT IN (SELECT id FROM subjects)
                WHEN 'generate_chunk_embedding'
                    THEN argument NOT IN (SELECT id FROM content_chunks)
                ELSE argument NOT IN (SELECT id FROM materials) END
            """,
        ]
        let body = { (db: Database) throws -> Int in
            var count = 0
            for (table, condition) in conditions {
                count +=
                    try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table) WHERE \(condition)")
                    ?? 0
                if repairs { try db.execute(sql: "DELETE FROM \(table) WHERE \(condition)") }
            }
            return count
        }
        return repairs ? try write(body) : try read(body)
    }

    private func requeue(_ materials: Set<Int64>) throws(PipelineError) -> Int {
        try write { db in
            let present = try materials.sorted().filter { try Material.exists(db, key: $0) }
            for id in present { try enqueue(db, .processMaterialEmbeddings, id) }
            return present.count
        }
    }
}

extension VerificationReport {
    fileprivate mutating func count(_ kind: Library.FindingKind) {
        switch kind {
        case .sound: break
        case .missing: missingCount += 1
        case .stale: staleCount += 1
        case .invalid: invalidCount += 1
        case .edited: editedCount += 1
        case .orphaned: orphanedCount += 1
        }
    }
}
