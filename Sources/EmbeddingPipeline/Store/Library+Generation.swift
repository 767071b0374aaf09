import GRDB

/// Which model's vectors are searched, and which model makes them.
public struct Generation: Sendable, Equatable {
    /// The fingerprint of the vectors that are searched; nil before the first.
    public var active: String?
    /// The fingerprint of the model that vectors are made with now.
    public var target: String?
    /// Whether vectors of a new model are being made beside those that are searched.
    public var isChanging: Bool { active != nil && active != target }
}

extension Library {
    public func generation() throws(PipelineError) -> Generation {
        try read { db in try Self.generation(db) }
    }

    static func generation(_ db: Database) throws -> Generation {
        let row = try Row.fetchOne(db, sql: "SELECT * FROM generation WHERE id = 1")
        return Generation(active: row?["active_fingerprint"], target: row?["target_fingerprint"])
    }

    /// The model that vectors are made with; nil before the first.
    public func targetModel() throws(PipelineError) -> ModelIdentity? {
        try read { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT models.* FROM models
                    JOIN generation ON fingerprint = target_fingerprint
                    """)
            return try row.map { row in
                ModelIdentity(
                    fingerprint: try row.value("fingerprint"), name: try row.value("name"),
                    dimension: try row.value("dimension"), isUnit: try row.value("is_unit"))
            }
        }
    }

    /// Makes a model the one that vectors are made with. What another model made is stale from now
    /// on, and is searched until all is made anew.
    ///
    /// - Throws: `PipelineError`.
    public func beginGeneration(_ model: ModelIdentity) throws(PipelineError) {
        if try generation().target == model.fingerprint { return }
        try write { db in
            try db.execute(
                sql: """
                    INSERT INTO models (fingerprint, name, dimension, is_unit, created_at)
                    VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                    """,
                arguments: [
                    model.fingerprint, model.name, model.dimension, model.isUnit, clock.now,
                ])
            try db.execute(
                sql: """
                    UPDATE generation SET target_fingerprint = :model,
                        active_fingerprint = coalesce(active_fingerprint, :model)
                    """, arguments: ["model": model.fingerprint])
            try restorePreviousEmbeddings(db, model)
        }
    }

    /// Who goes back to the model before gets its vectors back.
    private func restorePreviousEmbeddings(_ db: Database, _ model: ModelIdentity) throws {
        let ids = try Int64.fetchAll(
            db, sql: "SELECT chunk_id FROM previous_embeddings WHERE model_fingerprint = ?",
            arguments: [model.fingerprint])
        for id in ids {
            try db.execute(
                sql: """
                    UPDATE content_chunks SET
                        embedding = (SELECT embedding FROM previous_embeddings WHERE chunk_id = id),
                        model_fingerprint = :model, embedding_status = 'completed',
                        last_error = NULL, is_set_aside = 0, claim_id = NULL, updated_at = :now
                    WHERE id = :id
                    """,
                arguments: ["model": model.fingerprint, "now": clock.now, "id": id])
        }
        if try Self.generation(db).active == model.fingerprint {
            try db.execute(sql: "DELETE FROM previous_embeddings")
        }
        // What failed with the other model has its vector still.
        try db.execute(
            sql: """
                UPDATE content_chunks SET embedding_status = 'completed', last_error = NULL,
                    interruptions = 0, lone_interruptions = 0, is_set_aside = 0, updated_at = ?
                WHERE embedding_status = 'failed' AND model_fingerprint = ?
                    AND is_vector(embedding, ?, ?)
                """, arguments: [clock.now, model.fingerprint, model.dimension, model.isUnit])
        let materials = try Int64.fetchAll(
            db, sql: "SELECT id FROM materials WHERE processing_status IN ('extracted', 'failed')")
        for id in materials { try updateProcessingStatus(db, id) }
    }

    /// - Throws: `PipelineError.otherModel` when vectors are made with another model now.
    func checkTarget(_ db: Database, _ model: ModelIdentity) throws {
        let target = try Self.generation(db).target
        guard target == model.fingerprint else {
            throw PipelineError.otherModel(library: target ?? "", given: model.fingerprint)
        }
    }

    /// Lets search use the new model's vectors once they are complete, in one transaction.
    ///
    /// - Parameters:
    ///   - acceptsFailures: whether chunks that have a vector of the old model and have failed with
    ///     the new one do not hold it up; search finds them no more then.
    /// - Returns: whether search has changed to the new model.
    @discardableResult
    package func completeGeneration(
        _ model: ModelIdentity, acceptsFailures: Bool = false
    ) throws(PipelineError) -> Bool {
        guard try generation().isChanging else { return false }
        return try write { db in
            let generation = try Self.generation(db)
            guard generation.isChanging, generation.target == model.fingerprint else {
                return false
            }
            // A chunk that never had a vector loses nothing by the change.
            let isLeft = try Bool.fetchOne(
                db,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM content_chunks WHERE embedding_status = 'pending')
                    OR EXISTS (SELECT 1 FROM content_chunks
                        WHERE embedding_status = 'completed' AND model_fingerprint < :model)
                    OR EXISTS (SELECT 1 FROM content_chunks
                        WHERE embedding_status = 'completed' AND model_fingerprint > :model)
                    OR EXISTS (SELECT 1 FROM content_chunks
                        WHERE embedding_status = 'completed' AND model_fingerprint IS NULL)
                    OR NOT :accepts AND EXISTS (SELECT 1 FROM content_chunks
                        WHERE embedding_status = 'failed' AND model_fingerprint = :active)
                    """,
                arguments: [
                    "model": model.fingerprint, "active": generation.active,
                    "accepts": acceptsFailures,
                ])
            guard isLeft == false else { return false }
            try db.execute(
                sql: "UPDATE generation SET active_fingerprint = ?",
                arguments: [model.fingerprint])
            try db.execute(sql: "DELETE FROM previous_embeddings")
            return true
        }
    }
}
