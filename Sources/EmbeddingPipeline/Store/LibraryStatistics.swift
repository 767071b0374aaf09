import GRDB

/// Where the embeddings of a library, or of a part of it, stand.
public struct ChunkStatistics: Sendable, Equatable {
    public var chunkCount = 0
    public var pendingCount = 0
    public var completedCount = 0
    public var failedCount = 0
    /// Of those failed: given up after they ended the process time and again.
    public var setAsideCount = 0
    /// Without a vector, or with one of a wrong length.
    public var missingVectorCount = 0
    /// With a vector of another model than the one that is asked about.
    public var staleCount = 0
    /// With a valid length of vector of the model that is asked about.
    public var currentCount = 0

    /// The share of chunks that have a vector of the model, 0 to 1; 1 when there is no chunk.
    public var completionRate: Double {
        chunkCount == 0 ? 1 : Double(currentCount) / Double(chunkCount)
    }

    static func += (left: inout ChunkStatistics, right: ChunkStatistics) {
        left.chunkCount += right.chunkCount
        left.pendingCount += right.pendingCount
        left.completedCount += right.completedCount
        left.failedCount += right.failedCount
        left.setAsideCount += right.setAsideCount
        left.missingVectorCount += right.missingVectorCount
        left.staleCount += right.staleCount
        left.currentCount += right.currentCount
    }
}

/// Where everything of a library, or of a part of it, stands.
public struct LibraryStatistics: Sendable, Equatable {
    public var subjectCount = 0
    public var subjectsWithMaterialsCount = 0
    public var materialCount = 0
    public var materialsWithChunksCount = 0
    public var materialsByStatus: [Material.ProcessingStatus: Int] = [:]
    public var chunks = ChunkStatistics()
    /// By subject, in the order of names.
    public var subjects: [SubjectStatistics] = []
}

public struct SubjectStatistics: Sendable, Equatable {
    public var id: Int64
    public var name: String
    public var materialCount = 0
    public var chunks = ChunkStatistics()
}

/// What is left to do of a selection.
public struct ChunkNeed: Sendable, Equatable {
    public var chunkCount = 0
    /// As counted when the chunks were cut.
    public var tokenCount = 0
    public var materialCount = 0
}

/// The different texts of what is left to do, as far as none has its vector in the library.
public struct TextNeed: Sendable, Equatable {
    public var textCount = 0
    public var tokenCount = 0
}

extension Library {
    /// Counts everything of a target, as it looks to a model.
    ///
    /// - Throws: `PipelineError`.
    public func statistics(
        _ target: ChunkSelection.Target = .all, _ model: ModelIdentity
    ) throws(PipelineError) -> LibraryStatistics {
        try read { db in
            let byMaterial = try Self.chunkStatistics(db, target, model)
            var statistics = LibraryStatistics()
            let (condition, arguments) = Self.materialScope(target)
            let materials = try Row.fetchAll(
                db,
                sql: """
                    SELECT id, subject_id, processing_status FROM materials WHERE \(condition)
                    """, arguments: arguments)
            var subjects: [Int64: SubjectStatistics] = [:]
            for subject in try Self.subjects(db, target, materials) {
                subjects[subject.id] = subject
            }
            for row in materials {
                let chunks = byMaterial[(try row.value("id"))] ?? ChunkStatistics()
                statistics.materialCount += 1
                statistics.materialsWithChunksCount += chunks.chunkCount > 0 ? 1 : 0
                if let status = Material.ProcessingStatus(
                    rawValue: try row.value("processing_status"))
                {
                    statistics.materialsByStatus[status, default: 0] += 1
                }
                statistics.chunks += chunks
                subjects[(try row.value("subject_id"))]?.materialCount += 1
                subjects[(try row.value("subject_id"))]?.chunks += chunks
            }
            statistics.subjects = subjects.values.sorted { ($0.name, $0.id) < ($1.name, $1.id) }
            statistics.subjectCount = subjects.count
            statistics.subjectsWithMaterialsCount = subjects.values.count { $0.materialCount > 0 }
            return statistics
        }
    }

    private static func subjects(
        _ db: Database, _ target: ChunkSelection.Target, _ materials: [Row]
    ) throws -> [SubjectStatistics] {
        var request = Subject.all()
        switch target {
        case .all: break
        case .subject(let id): request = request.filter(key: id)
        case .material, .chunk:
            request = request.filter(keys: materials.map { $0["subject_id"] as Int64 })
        }
        return try request.fetchAll(db).compactMap { subject in
            subject.id.map { SubjectStatistics(id: $0, name: subject.name) }
        }
    }

    private static func materialScope(
        _ target: ChunkSelection.Target
    ) -> (String, StatementArguments) {
        switch target {
        case .all: ("TRUE", StatementArguments())
        case .subject(let id): ("subject_id = ?", [id])
        case .material(let id): ("id = ?", [id])
        case .chunk(let id): ("id = (SELECT material_id FROM content_chunks WHERE id = ?)", [id])
        }
    }

    /// One pass over an index; no text and no vector is read.
    package static func chunkStatisticsSQL(_ scope: String) -> String {
        """
        SELECT material_id, embedding_status, model_fingerprint, embedding_byte_count,
            is_set_aside, count(*) AS count
        FROM content_chunks WHERE \(scope) GROUP BY 1, 2, 3, 4, 5
        """
    }

    private static func chunkStatistics(
        _ db: Database, _ target: ChunkSelection.Target, _ model: ModelIdentity
    ) throws -> [Int64: ChunkStatistics] {
        let (scope, arguments) = scope(target)
        let rows = try Row.fetchCursor(db, sql: chunkStatisticsSQL(scope), arguments: arguments)
        var result: [Int64: ChunkStatistics] = [:]
        while let row = try rows.next() {
            let count: Int = try row.value("count")
            var part = ChunkStatistics(chunkCount: count)
            switch EmbeddingStatus(rawValue: try row.value("embedding_status")) {
            case .pending: part.pendingCount = count
            case .completed: part.completedCount = count
            case .failed: part.failedCount = count
            case nil: break
            }
            if try row.value("is_set_aside") { part.setAsideCount = count }
            let byteCount: Int? = try row.value("embedding_byte_count")
            let fingerprint: String? = try row.value("model_fingerprint")
            if byteCount ?? 0 == 0 {
                part.missingVectorCount = count
            } else if fingerprint != model.fingerprint {
                part.staleCount = count
            } else if byteCount != model.byteCount {
                part.missingVectorCount = count
            } else if part.completedCount > 0 {
                part.currentCount = count
            }
            result[(try row.value("material_id")), default: ChunkStatistics()] += part
        }
        return result
    }

    /// Counts what a selection has to do.
    public func need(
        _ selection: ChunkSelection, _ model: ModelIdentity
    ) throws(PipelineError) -> ChunkNeed {
        try read { db in
            let (scope, arguments) = Self.scope(selection.target)
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT count(*) AS chunks, coalesce(sum(token_count), 0) AS tokens,
                        count(DISTINCT material_id) AS materials
                    FROM content_chunks WHERE \(scope) AND \(selection.condition)
                    """,
                arguments: arguments + StatementArguments(ChunkSelection.arguments(model)))
            return ChunkNeed(
                chunkCount: row?["chunks"] ?? 0, tokenCount: row?["tokens"] ?? 0,
                materialCount: row?["materials"] ?? 0)
        }
    }

    /// Counts the texts that a selection makes the engine compute.
    func textNeed(
        _ selection: ChunkSelection, _ model: ModelIdentity
    ) throws(PipelineError) -> TextNeed {
        try read { db in
            let (scope, arguments) = Self.scope(selection.target)
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT count(*) AS texts, coalesce(sum(tokens), 0) AS tokens FROM (
                        SELECT max(token_count) AS tokens FROM content_chunks AS chunk
                        WHERE \(scope) AND \(selection.condition) AND NOT EXISTS (
                            SELECT 1 FROM content_chunks AS twin INDEXED BY content_chunks_by_text
                            WHERE twin.text_hash = chunk.text_hash
                                AND twin.embedding_status = 'completed'
                                AND twin.model_fingerprint = :target
                                AND twin.embedding_byte_count = :bytes)
                        GROUP BY coalesce(text_hash, id))
                    """,
                arguments: arguments + StatementArguments(ChunkSelection.arguments(model)))
            return TextNeed(textCount: row?["texts"] ?? 0, tokenCount: row?["tokens"] ?? 0)
        }
    }

    /// Chunks in need that wait for someone's claim: their own, or one of an equal text.
    func countInWorkElsewhere(
        _ selection: ChunkSelection, _ model: ModelIdentity
    ) throws(PipelineError) -> Int {
        try read { db in
            let (scope, arguments) = Self.scope(selection.target)
            return try Int.fetchOne(
                db,
                sql: """
                    SELECT count(*) FROM content_chunks
                    WHERE text_hash IN (
                            SELECT text_hash FROM content_chunks WHERE claim_id IS NOT NULL)
                        AND \(scope) AND \(selection.condition)
                    """,
                arguments: arguments + StatementArguments(ChunkSelection.arguments(model))) ?? 0
        }
    }

    /// Chunks that were given up.
    func setAsideCount(_ target: ChunkSelection.Target) throws(PipelineError) -> Int {
        try read { db in
            let (scope, arguments) = Self.scope(target)
            return try Int.fetchOne(
                db,
                sql: """
                    SELECT count(*) FROM content_chunks
                    WHERE embedding_status = 'failed' AND is_set_aside AND \(scope)
                    """, arguments: arguments) ?? 0
        }
    }

    /// The chunks that have failed, with their reasons.
    public func failedChunks(
        _ target: ChunkSelection.Target, limit: Int = 100
    ) throws(PipelineError) -> [ContentChunk] {
        try read { db in
            let (scope, arguments) = Self.scope(target)
            return try ContentChunk.fetchAll(
                db,
                sql: """
                    SELECT * FROM content_chunks WHERE embedding_status = 'failed' AND \(scope)
                    ORDER BY id LIMIT :limit
                    """, arguments: arguments + StatementArguments(["limit": limit]))
        }
    }
}
