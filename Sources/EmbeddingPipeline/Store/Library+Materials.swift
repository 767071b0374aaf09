import Foundation
import GRDB

extension Library {
    /// Registers a file, or finds it where it is registered already.
    ///
    /// - Throws: `PipelineError.noSuchSubject`.
    public func addMaterial(
        subjectID: Int64, title: String, sourcePath: String?, mediaType: String? = nil
    ) throws(PipelineError) -> Material {
        try write { db in
            guard try Subject.exists(db, key: subjectID) else {
                throw PipelineError.noSuchSubject("\(subjectID)")
            }
            if let sourcePath,
                let material = try Material.filter(
                    Column("subject_id") == subjectID && Column("source_path") == sourcePath
                ).fetchOne(db)
            {
                return material
            }
            var material = Material(
                subjectID: subjectID, title: title, sourcePath: sourcePath, mediaType: mediaType,
                createdAt: clock.now)
            try material.insert(db)
            return material
        }
    }

    /// The material of a subject that came from a file; nil if there is none.
    func material(subjectID: Int64, sourcePath: String) throws(PipelineError) -> Material? {
        try read { db in
            try Material.filter(
                Column("subject_id") == subjectID && Column("source_path") == sourcePath
            ).fetchOne(db)
        }
    }

    /// The materials of a subject, or all, in the order they came.
    public func materials(subjectID: Int64? = nil) throws(PipelineError) -> [Material] {
        try read { db in
            var request = Material.order(Column("id"))
            if let subjectID { request = request.filter(Column("subject_id") == subjectID) }
            return try request.fetchAll(db)
        }
    }

    /// - Throws: `PipelineError.noSuchMaterial`.
    public func material(id: Int64) throws(PipelineError) -> Material {
        try read { db in
            guard let material = try Material.fetchOne(db, key: id) else {
                throw PipelineError.noSuchMaterial(id)
            }
            return material
        }
    }

    /// Removes a material with its chunks and tasks.
    ///
    /// - Throws: `PipelineError.noSuchMaterial`.
    public func removeMaterial(id: Int64) throws(PipelineError) {
        try write { db in
            guard try Material.exists(db, key: id) else { throw PipelineError.noSuchMaterial(id) }
            try Self.removeMaterial(db, id)
        }
    }

    static func removeMaterial(_ db: Database, _ id: Int64) throws {
        try db.execute(
            sql: """
                DELETE FROM tasks WHERE name = ? AND argument IN (
                    SELECT id FROM content_chunks WHERE material_id = ?)
                """, arguments: [TaskName.generateChunkEmbedding, id])
        try removeTasks(
            db,
            [.processMaterial, .processMaterialEmbeddings, .updateExistingMaterialEmbeddings],
            argument: id)
        try db.execute(sql: "DELETE FROM materials WHERE id = ?", arguments: [id])
    }

    /// Gives a material the chunks of its present text. A chunk whose text is there already keeps
    /// its embedding, wherever in the material it stands now.
    ///
    /// - Throws: `PipelineError.noSuchMaterial`.
    @discardableResult
    public func replaceChunks(
        materialID: Int64, _ drafts: [ChunkDraft], mediaType: String? = nil,
        contentHash: String? = nil
    ) throws(PipelineError) -> ChunkChanges {
        try write { db in
            try self.replaceChunks(
                db, materialID, drafts, mediaType: mediaType, contentHash: contentHash,
                chunking: nil)
        }
    }

    private func replaceChunks(
        _ db: Database, _ materialID: Int64, _ drafts: [ChunkDraft], mediaType: String?,
        contentHash: String?, chunking: String?
    ) throws -> ChunkChanges {
        guard try Material.exists(db, key: materialID) else {
            throw PipelineError.noSuchMaterial(materialID)
        }
        let changes = try replaceChunks(db, materialID, drafts)
        try db.execute(
            sql: """
                UPDATE materials SET processing_status = 'extracted', last_error = NULL,
                    media_type = coalesce(?, media_type),
                    content_hash = coalesce(?, content_hash), chunking = ?, failed_hash = NULL,
                    updated_at = ?
                WHERE id = ?
                """, arguments: [mediaType, contentHash, chunking, clock.now, materialID])
        try updateProcessingStatus(db, materialID)
        return changes
    }

    /// Stores the text of a material's file, unless another version was stored since the file was
    /// read.
    ///
    /// - Returns: nil when it was.
    func storeText(
        materialID: Int64, _ text: MaterialText
    ) throws(PipelineError) -> ChunkChanges? {
        try write { db in
            if let lease = text.lease { try renew(db, lease) }
            let isCurrent = try Bool.fetchOne(
                db, sql: "SELECT content_hash IS ? FROM materials WHERE id = ?",
                arguments: [text.previousHash, materialID])
            if isCurrent == false { return nil }
            let changes = try replaceChunks(
                db, materialID, text.drafts, mediaType: text.mediaType,
                contentHash: text.contentHash, chunking: text.chunking)
            if text.queuesEmbeddings, try isInNeed(db, materialID) {
                try enqueue(db, .processMaterialEmbeddings, materialID)
            }
            return changes
        }
    }

    private func isInNeed(_ db: Database, _ materialID: Int64) throws -> Bool {
        try Bool.fetchOne(
            db, sql: "SELECT processing_status = 'extracted' FROM materials WHERE id = ?",
            arguments: [materialID]) ?? false
    }

    /// Queues the materials that wait for a worker and have no task, for whoever was to queue one
    /// was ended before.
    public func enqueueForgotten() throws(PipelineError) {
        try write { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT id, processing_status FROM materials AS material
                    WHERE (processing_status = 'extracted'
                            OR processing_status = 'pending' AND source_path IS NOT NULL)
                        AND NOT EXISTS (SELECT 1 FROM tasks
                            WHERE name IN ('process_material', 'process_material_embeddings',
                                    'update_existing_material_embeddings')
                                AND argument = material.id
                                AND state IN ('queued', 'running', 'dead'))
                    """)
            for row in rows {
                let isUnread =
                    try row.value("processing_status") == Material.ProcessingStatus.pending
                try enqueue(
                    db, isUnread ? .processMaterial : .processMaterialEmbeddings,
                    (try row.value("id")))
            }
        }
    }

    private func replaceChunks(
        _ db: Database, _ materialID: Int64, _ drafts: [ChunkDraft]
    ) throws -> ChunkChanges {
        var old: [Data: [Int64]] = [:]
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT id, context, text FROM content_chunks WHERE material_id = ?
                ORDER BY ordinal DESC
                """, arguments: [materialID])
        while let row = try rows.next() {
            let hash = TextHash.of(try row.value("text"), context: try row.value("context"))
            old[hash, default: []].append((try row.value("id")))
        }

        let hashes = drafts.map { TextHash.of($0.text, context: $0.context) }
        // The first of equal texts takes the first row with that text.
        let kept = hashes.map { old[$0]?.popLast() }
        let now = clock.now
        // Places are unique at every moment: what is kept moves out of the way first.
        let delete = try db.makeStatement(sql: "DELETE FROM content_chunks WHERE id = ?")
        for id in old.values.joined() { try delete.execute(arguments: [id]) }
        try db.execute(
            sql: "UPDATE content_chunks SET ordinal = -1 - ordinal WHERE material_id = ?",
            arguments: [materialID])
        let move = try db.makeStatement(
            sql: """
                UPDATE content_chunks SET ordinal = ?, page = ?, byte_start = ?, byte_end = ?,
                    place = ?, token_count = ? WHERE id = ?
                """)
        let insert = try db.makeStatement(
            sql: """
                INSERT INTO content_chunks (material_id, ordinal, context, text, text_hash, page,
                    byte_start, byte_end, place, token_count, created_at, updated_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        for (ordinal, draft) in drafts.enumerated() {
            let (start, end) = (draft.byteRange?.lowerBound, draft.byteRange?.upperBound)
            let place = try draft.place.map { try StoredPlace.json($0) }
            let page = draft.place?.pages?.lowerBound
            if let id = kept[ordinal] {
                try move.execute(
                    arguments: [ordinal, page, start, end, place, draft.tokenCount, id])
            } else {
                try insert.execute(
                    arguments: [
                        materialID, ordinal, draft.context, draft.text, hashes[ordinal], page,
                        start, end, place, draft.tokenCount, now, now,
                    ])
            }
        }
        var changes = ChunkChanges()
        changes.keptCount = kept.count { $0 != nil }
        changes.addedCount = drafts.count - changes.keptCount
        changes.removedCount = old.values.reduce(0) { $0 + $1.count }
        return changes
    }

    /// Records why a material's text could not be taken.
    ///
    /// - Parameters:
    ///   - contentHash: as it was when the file was read; if another version was stored since, that
    ///     stands.
    ///   - failedHash: of the content that is at fault; nil where the same file may go well later.
    func failMaterial(
        id: Int64, _ reason: String, contentHash: String?, failedHash: String?
    ) throws(PipelineError) {
        try write { db in
            try db.execute(
                sql: """
                    UPDATE materials SET processing_status = 'failed', last_error = ?,
                        failed_hash = ?, updated_at = ? WHERE id = ? AND content_hash IS ?
                    """, arguments: [reason, failedHash, clock.now, id, contentHash])
        }
    }

    private static let chunksHaveFailed = "chunks have failed"

    /// Brings a material's status in line with those of its chunks: complete if all are. Where its
    /// text could not be taken, that stays said.
    func updateProcessingStatus(_ db: Database, _ materialID: Int64) throws {
        func hasChunk(_ status: EmbeddingStatus) throws -> Bool {
            try Bool.fetchOne(
                db,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM content_chunks
                        WHERE material_id = ? AND embedding_status = ?)
                    """, arguments: [materialID, status]) ?? false
        }
        let isPending = try hasChunk(.pending)
        let hasFailed = try !isPending && hasChunk(.failed)
        let status: Material.ProcessingStatus =
            isPending ? .extracted : hasFailed ? .failed : .completed
        try db.execute(
            sql: """
                UPDATE materials SET processing_status = :status, last_error = :error,
                    updated_at = :now
                WHERE id = :id AND processing_status <> :status
                    AND (processing_status IN ('extracted', 'completed') OR last_error = :failed)
                """,
            arguments: [
                "status": status, "error": hasFailed ? Self.chunksHaveFailed : nil,
                "failed": Self.chunksHaveFailed, "now": clock.now, "id": materialID,
            ])
    }
}
