import Foundation
import GRDB

extension Library {
    /// Takes chunks into work, as far as they are still in need and nobody else has them or an
    /// equal text. The attempt is counted here, before the work.
    ///
    /// - Parameters:
    ///   - limit: chunks of the claim.
    ///   - isAlone: whether nothing else will be in work in this process.
    ///   - candidate: the next chunk to look at; nil when there is none.
    /// - Returns: the claim, nil when no chunk is left; and what an equal text's vector served.
    package func claim(
        _ db: Database, limit: Int, _ filter: ChunkSelection.Filter, _ model: ModelIdentity,
        isAlone: Bool, candidate: () throws -> Int64?
    ) throws -> (Claim?, ChunkTally) {
        try checkTarget(db, model)
        var tally = ChunkTally()
        var chunks: [ClaimedChunk] = []
        var claimID: Int64?
        let condition = ChunkSelection(.all, filter).condition
        let find = try db.makeStatement(
            sql: """
                SELECT id, material_id, context, text, text_hash, token_count
                FROM content_chunks
                WHERE id = :id AND claim_id IS NULL AND \(condition)
                """)
        let take = try db.makeStatement(
            sql: """
                UPDATE content_chunks SET claim_id = :claim, updated_at = :now,
                    attempts = iif(embedding_status = 'completed', 0, attempts) + 1
                WHERE id = :id
                """)
        while chunks.count < limit, tally.reusedCount < Self.largestReuse,
            let id = try candidate()
        {
            let arguments = ChunkSelection.arguments(model).merging(["id": id]) { $1 }
            guard
                let row = try Row.fetchOne(find, arguments: StatementArguments(arguments))
            else { continue }
            let chunk = try claimedChunk(db, row)
            if try isInWork(db, textHash: chunk.textHash) { continue }
            if let vector = try vector(db, ofText: chunk.textHash, model) {
                try storeEmbedding(db, chunk.id, vector, model)
                try updateProcessingStatus(db, chunk.materialID)
                tally.reusedCount += 1
                tally.tokenCount += chunk.tokenCount
                continue
            }
            if claimID == nil { claimID = try insertClaim(db, isAlone: isAlone) }
            try take.execute(arguments: ["claim": claimID, "now": clock.now, "id": id])
            chunks.append(chunk)
        }
        return (claimID.map { Claim(id: $0, chunks: chunks) }, tally)
    }

    /// How many vectors of equal texts are stored in one transaction, at most.
    static let largestReuse = 1000

    /// What another program has written may lack its hash, or have that of another text.
    private func claimedChunk(_ db: Database, _ row: Row) throws -> ClaimedChunk {
        let context: String = try row.value("context") ?? ""
        let text: String = try row.value("text")
        let chunk = ClaimedChunk(
            id: try row.value("id"), materialID: try row.value("material_id"),
            text: context + text, textHash: TextHash.of(context + text),
            tokenCount: try row.value("token_count") ?? 0)
        let storedHash: Data? = try row.value("text_hash")
        if storedHash != chunk.textHash {
            try db.execute(
                sql: "UPDATE content_chunks SET text_hash = ? WHERE id = ?",
                arguments: [chunk.textHash, chunk.id])
        }
        return chunk
    }

    private func isInWork(_ db: Database, textHash: Data) throws -> Bool {
        try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM content_chunks INDEXED BY content_chunks_by_text
                    WHERE text_hash = ? AND claim_id IS NOT NULL)
                """, arguments: [textHash]) ?? false
    }

    private func insertClaim(_ db: Database, isAlone: Bool) throws -> Int64 {
        try db.execute(
            sql: """
                INSERT INTO claims (owner, is_alone, expires_at, created_at) VALUES (?, ?, ?, ?)
                """, arguments: [owner.description, isAlone, leaseEnd, clock.now])
        return db.lastInsertedRowID
    }

    /// The vector that a model made of an equal text.
    private func vector(
        _ db: Database, ofText hash: Data, _ model: ModelIdentity
    ) throws -> Data? {
        try Data.fetchOne(
            db,
            sql: """
                SELECT embedding FROM content_chunks INDEXED BY content_chunks_by_text
                WHERE text_hash = ? AND embedding_status = 'completed' AND model_fingerprint = ?
                    AND is_vector(embedding, ?, ?) LIMIT 1
                """, arguments: [hash, model.fingerprint, model.dimension, model.isUnit])
    }

    /// Stores what became of a claim's chunks, vectors and statuses at once, and ends it. Chunks
    /// of equal text get the vector too.
    ///
    /// - Parameters:
    ///   - outcomes: one a chunk, in their order.
    package func settle(
        _ db: Database, _ claim: Claim, _ outcomes: [ChunkOutcome], _ model: ModelIdentity
    ) throws -> ChunkTally {
        try checkTarget(db, model)
        var tally = ChunkTally()
        var materials: Set<Int64> = []
        for (chunk, outcome) in zip(claim.chunks, outcomes) {
            guard try holds(db, claim, chunk) else {
                tally.supersededCount += 1
                continue
            }
            materials.insert(chunk.materialID)
            switch outcome {
            case .vector(let vector):
                let data = StoredVector.data(vector)
                precondition(data.count == model.byteCount)
                try storeEmbedding(db, chunk.id, data, model)
                tally.completedCount += 1
                tally.tokenCount += chunk.tokenCount
                for twin in try twins(db, chunk, model) {
                    try storeEmbedding(db, twin.id, data, model)
                    tally.tokenCount += chunk.tokenCount
                    materials.insert(twin.materialID)
                    tally.reusedCount += 1
                }
            case .failure(let reason):
                // What an equal text would meet is known.
                let twins = try twins(db, chunk, model)
                for id in [chunk.id] + twins.map(\.id) {
                    try db.execute(
                        sql: """
                            UPDATE content_chunks SET embedding_status = 'failed', last_error = ?,
                                claim_id = NULL, updated_at = ? WHERE id = ?
                            """, arguments: [reason, clock.now, id])
                }
                materials.formUnion(twins.map(\.materialID))
                tally.failedCount += 1 + twins.count
                tally.tokenCount += chunk.tokenCount * (1 + twins.count)
                tally.failedTwinIDs += twins.map(\.id)
            case .released:
                try db.execute(
                    sql: """
                        UPDATE content_chunks SET attempts = attempts - 1, claim_id = NULL
                        WHERE id = ?
                        """, arguments: [chunk.id])
            }
        }
        try db.execute(sql: "DELETE FROM claims WHERE id = ?", arguments: [claim.id])
        for material in materials { try updateProcessingStatus(db, material) }
        return tally
    }

    private func holds(_ db: Database, _ claim: Claim, _ chunk: ClaimedChunk) throws -> Bool {
        try Bool.fetchOne(
            db,
            sql: """
                SELECT claim_id IS ? AND text_hash = ? FROM content_chunks WHERE id = ?
                """, arguments: [claim.id, chunk.textHash, chunk.id]) ?? false
    }

    /// Chunks of equal text that are in need and in nobody's work.
    private func twins(
        _ db: Database, _ chunk: ClaimedChunk, _ model: ModelIdentity
    ) throws -> [(id: Int64, materialID: Int64)] {
        let need = ChunkSelection(.all).condition
        let arguments = ChunkSelection.arguments(model)
            .merging(["hash": chunk.textHash, "id": chunk.id]) { $1 }
        return try Row.fetchAll(
            db,
            sql: """
                SELECT id, material_id FROM content_chunks INDEXED BY content_chunks_by_text
                WHERE text_hash = :hash AND id <> :id AND claim_id IS NULL AND \(need)
                """, arguments: StatementArguments(arguments)
        ).map { ($0["id"], $0["material_id"]) }
    }

    /// Writes vector and status. A vector that search still uses is put beside.
    private func storeEmbedding(
        _ db: Database, _ id: Int64, _ vector: Data, _ model: ModelIdentity
    ) throws {
        let generation = try Self.generation(db)
        if generation.isChanging {
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO previous_embeddings
                        (chunk_id, model_fingerprint, embedding)
                    SELECT id, model_fingerprint, embedding FROM content_chunks
                    WHERE id = ? AND model_fingerprint = ? AND embedding IS NOT NULL
                    """, arguments: [id, generation.active])
        }
        try db.execute(
            sql: """
                UPDATE suspicion SET refuted_count = refuted_count + (
                    SELECT lone_interruptions FROM content_chunks WHERE id = :id)
                WHERE EXISTS (SELECT 1 FROM content_chunks
                    WHERE id = :id AND lone_interruptions > 0)
                """, arguments: ["id": id])
        try db.execute(
            sql: """
                UPDATE content_chunks SET embedding = :vector,
                    embedding_byte_count = length(:vector), model_fingerprint = :model,
                    embedding_status = 'completed', interruptions = 0,
                    lone_interruptions = 0, is_set_aside = 0,
                    last_error = NULL, claim_id = NULL, updated_at = :now WHERE id = :id
                """,
            arguments: [
                "vector": vector, "model": model.fingerprint, "now": clock.now, "id": id,
            ])
    }

    /// Frees what workers had in work that are gone, and sets aside what ended them time and again.
    ///
    /// - Returns: the chunks that were set aside.
    @discardableResult
    package func releaseAbandonedClaims(_ db: Database) throws -> [Int64] {
        try releaseRelinquished(db)
        var setAside: [Int64] = []
        let claims = try Row.fetchAll(db, sql: "SELECT id, owner, is_alone, expires_at FROM claims")
        for claim in claims {
            let description: String = try claim.value("owner")
            let end: Date = try claim.value("expires_at")
            guard description != owner.description,
                Self.isAbandoned(description, leaseEnd: end, now: clock.now)
            else { continue }
            let id: Int64 = try claim.value("id")
            // Copies of a text that ends the process are as suspicious as it is.
            try db.execute(
                sql: """
                    UPDATE content_chunks SET interruptions = interruptions + 1,
                        lone_interruptions = lone_interruptions + ?
                    WHERE \(Self.isInWorkOrTwin)
                    """, arguments: [(try claim.value("is_alone")) as Bool, id, id])
            if try claim.value("is_alone") {
                setAside += try setAsidePoison(db, claim: id)
            }
            try db.execute(
                sql: "UPDATE content_chunks SET claim_id = NULL WHERE claim_id = ?",
                arguments: [id])
            try db.execute(sql: "DELETE FROM claims WHERE id = ?", arguments: [id])
        }
        return setAside
    }

    /// The condition on `content_chunks` for what a claim holds, and for copies of its texts that
    /// wait.
    private static let isInWorkOrTwin = """
        claim_id = ? OR claim_id IS NULL AND embedding_status <> 'completed' AND text_hash IN (
            SELECT text_hash FROM content_chunks WHERE claim_id = ?)
        """

    /// Gives chunks back that were not tried to the end. What cannot be written now is remembered,
    /// and done before the next work.
    func relinquish(_ claims: [Claim]) {
        relinquished.withLock { $0 += claims.map(\.id) }
        do { try writeBriefly { db in try releaseRelinquished(db) } } catch {}
    }

    var hasRelinquished: Bool { relinquished.withLock { !$0.isEmpty } }

    private func releaseRelinquished(_ db: Database) throws {
        let claims = relinquished.withLock { $0 }
        guard !claims.isEmpty else { return }
        for id in claims {
            try db.execute(
                sql: """
                    UPDATE content_chunks SET attempts = attempts - 1, claim_id = NULL
                    WHERE claim_id = ?
                    """, arguments: [id])
            try db.execute(sql: "DELETE FROM claims WHERE id = ?", arguments: [id])
        }
        db.afterNextTransaction { [relinquished] _ in
            relinquished.withLock { $0.removeAll(where: claims.contains) }
        }
    }

    private func setAsidePoison(_ db: Database, claim: Int64) throws -> [Int64] {
        let refutedCount = try Int.fetchOne(db, sql: "SELECT refuted_count FROM suspicion")
        let poison = try Row.fetchAll(
            db,
            sql: """
                SELECT id, material_id FROM content_chunks
                WHERE (\(Self.isInWorkOrTwin)) AND lone_interruptions >= ?
                """, arguments: [claim, claim, PoisonPolicy.limit(refutedCount: refutedCount ?? 0)])
        for row in poison {
            try db.execute(
                sql: """
                    UPDATE content_chunks SET embedding_status = 'failed', is_set_aside = 1,
                        last_error = ?, claim_id = NULL, updated_at = ? WHERE id = ?
                    """, arguments: [PoisonPolicy.reason, clock.now, row["id"]])
            try updateProcessingStatus(db, (try row.value("material_id")))
        }
        return poison.map { $0["id"] }
    }
}
