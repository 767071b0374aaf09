import GRDB

extension Library {
    /// The chunks nearest to a query, by exact cosine similarity.
    ///
    /// - Parameters:
    ///   - query: `[D]`, made by `model`.
    ///   - subjectID: nil searches all subjects.
    ///   - count: at most so many, the best first; of equal ones the older first.
    /// - Throws: `PipelineError.otherModel` when the vectors that are searched are another model's;
    ///   `noVectors`.
    public func search(
        _ query: [Float], _ model: ModelIdentity, subjectID: Int64? = nil, count: Int
    ) throws(PipelineError) -> [SearchHit] {
        precondition(query.count == model.dimension)
        return try read { db in
            let generation = try Self.generation(db)
            guard let active = generation.active else { throw PipelineError.noVectors }
            guard active == model.fingerprint else {
                throw PipelineError.otherModel(library: active, given: model.fingerprint)
            }
            let best = try Self.nearest(db, query, generation, subjectID: subjectID, count: count)
            return try best.map { try Self.hit(db, $0) }
        }
    }

    private static func nearest(
        _ db: Database, _ query: [Float], _ generation: Generation, subjectID: Int64?, count: Int
    ) throws -> [ScoredChunk] {
        let scope =
            subjectID == nil
            ? "TRUE" : "chunk.material_id IN (SELECT id FROM materials WHERE subject_id = :subject)"
        // While a new model's vectors are made, those that it replaced stand beside.
        let sql =
            generation.isChanging
            ? """
            SELECT chunk.id, CASE WHEN chunk.model_fingerprint = :active
                THEN chunk.embedding ELSE previous.embedding END
            FROM content_chunks AS chunk LEFT JOIN previous_embeddings AS previous
                ON previous.chunk_id = chunk.id AND previous.model_fingerprint = :active
            WHERE \(scope)
            """
            : """
            SELECT chunk.id, chunk.embedding FROM content_chunks AS chunk
            WHERE \(scope) AND embedding_status = 'completed' AND model_fingerprint = :active
            """
        var arguments: StatementArguments = ["active": generation.active]
        if let subjectID { arguments += ["subject": subjectID] }
        let rows = try Row.fetchCursor(db, sql: sql, arguments: arguments)
        let norm = CosineScan.norm(query)
        var best = BestChunks(limit: count)
        while let row = try rows.next() {
            try row.withUnsafeData(atIndex: 1) { data in
                guard let data,
                    let score = CosineScan.similarity(query, norm: norm, stored: data)
                else { return }
                best.insert(ScoredChunk(id: row[0], score: score))
            }
        }
        return best.sorted
    }

    private static func hit(_ db: Database, _ chunk: ScoredChunk) throws -> SearchHit {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT chunk.*, material.title, material.source_path, subject.name AS subject
                FROM content_chunks AS chunk
                    JOIN materials AS material ON material.id = chunk.material_id
                    JOIN subjects AS subject ON subject.id = material.subject_id
                WHERE chunk.id = ?
                """, arguments: [chunk.id])
        guard let row else { throw PipelineError.noSuchChunk(chunk.id) }
        let (start, end): (Int?, Int?) = (
            (try row.value("byte_start")), (try row.value("byte_end"))
        )
        var range: Range<Int>?
        if let start, let end, start <= end { range = start..<end }
        return SearchHit(
            chunkID: chunk.id, score: chunk.score, materialID: try row.value("material_id"),
            title: try row.value("title"), sourcePath: try row.value("source_path"),
            subject: try row.value("subject"),
            ordinal: try row.value("ordinal"), page: try row.value("page"), byteRange: range,
            text: try row.value("text"))
    }
}

struct ScoredChunk: Equatable {
    var id: Int64
    var score: Float

    /// Whether it stands before another among the results.
    func isBetter(than other: ScoredChunk) -> Bool {
        score != other.score ? score > other.score : id < other.id
    }
}

/// The best of many, in memory for the best only.
struct BestChunks {
    private let limit: Int
    /// The best first.
    private(set) var sorted: [ScoredChunk] = []

    init(limit: Int) { self.limit = limit }

    mutating func insert(_ chunk: ScoredChunk) {
        if sorted.count == limit {
            guard let last = sorted.last, chunk.isBetter(than: last) else { return }
            sorted.removeLast()
        }
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle].isBetter(than: chunk) { low = middle + 1 } else { high = middle }
        }
        sorted.insert(chunk, at: low)
    }
}
