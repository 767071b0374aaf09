import Foundation
import GRDB

extension Library {
    /// - Throws: `PipelineError.noSuchChunk`.
    public func chunk(id: Int64) throws(PipelineError) -> ContentChunk {
        try read { db in
            guard let chunk = try ContentChunk.fetchOne(db, key: id) else {
                throw PipelineError.noSuchChunk(id)
            }
            return chunk
        }
    }

    /// The chunks of a material by place.
    public func chunks(materialID: Int64) throws(PipelineError) -> [ContentChunk] {
        try read { db in
            try ContentChunk.filter(Column("material_id") == materialID)
                .order(Column("ordinal")).fetchAll(db)
        }
    }

    /// Gives a chunk another text; what was made of the old one is gone, and what is being made
    /// will not be stored.
    ///
    /// - Throws: `PipelineError.noSuchChunk`.
    public func replaceText(
        chunkID: Int64, _ text: String, tokenCount: Int
    ) throws(PipelineError) {
        try write { db in
            let hash = TextHash.of(text)
            let row = try Row.fetchOne(
                db, sql: "SELECT material_id, text_hash FROM content_chunks WHERE id = ?",
                arguments: [chunkID])
            guard let row else { throw PipelineError.noSuchChunk(chunkID) }
            if (try row.value("text_hash")) == hash { return }
            try db.execute(
                sql: """
                    UPDATE content_chunks SET text = ?, context = NULL, text_hash = ?, token_count = ?,
                        embedding = NULL,
                        embedding_byte_count = NULL, embedding_status = 'pending', attempts = 0,
                        interruptions = 0, lone_interruptions = 0,
                        is_set_aside = 0, last_error = NULL, claim_id = NULL, updated_at = ?
                    WHERE id = ?
                    """, arguments: [text, hash, tokenCount, clock.now, chunkID])
            try db.execute(
                sql: "DELETE FROM previous_embeddings WHERE chunk_id = ?", arguments: [chunkID])
            try updateProcessingStatus(db, (try row.value("material_id")))
        }
    }

    /// Puts failed chunks back to pending, those set aside included, with their tries to come.
    ///
    /// - Returns: how many.
    @discardableResult
    public func resetFailedChunks(_ target: ChunkSelection.Target) throws(PipelineError) -> Int {
        try write { db in
            let (scope, arguments) = Self.scope(target)
            let materials = try Int64.fetchAll(
                db,
                sql: """
                    SELECT DISTINCT material_id FROM content_chunks
                    WHERE embedding_status = 'failed' AND \(scope)
                    """, arguments: arguments)
            try db.execute(
                sql: """
                    UPDATE content_chunks SET embedding_status = 'pending', attempts = 0,
                        interruptions = 0, lone_interruptions = 0,
                        is_set_aside = 0, last_error = NULL, updated_at = :now
                    WHERE embedding_status = 'failed' AND \(scope)
                    """, arguments: arguments + StatementArguments(["now": clock.now]))
            let count = db.changesCount
            for material in materials { try updateProcessingStatus(db, material) }
            return count
        }
    }

    /// The condition on `content_chunks` that means a target.
    static func scope(_ target: ChunkSelection.Target) -> (String, StatementArguments) {
        switch target {
        case .all: ("TRUE", StatementArguments())
        case .subject(let id):
            (
                "material_id IN (SELECT id FROM materials WHERE subject_id = :scope)",
                ["scope": id]
            )
        case .material(let id): ("material_id = :scope", ["scope": id])
        case .chunk(let id): ("id = :scope", ["scope": id])
        }
    }

    /// - Throws: `PipelineError`: there is no such subject, material or chunk.
    public func checkExists(_ target: ChunkSelection.Target) throws(PipelineError) {
        switch target {
        case .all: break
        case .subject(let id): _ = try subject(id: id)
        case .material(let id): _ = try material(id: id)
        case .chunk(let id): _ = try chunk(id: id)
        }
    }
}
