import GRDB
import TextExtraction

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
        var search = SearchQuery(
            text: "", mode: .vector, vector: query, model: model, count: count)
        if let subjectID { search.filter.subjectIDs = [subjectID] }
        return try self.search(search)
    }

    /// What a query finds, the best first; of equal ones the older first.
    ///
    /// - Throws: `PipelineError.otherModel` when the vectors that are searched are another model's;
    ///   `noVectors` for a vector search where there is none.
    public func search(_ query: SearchQuery) throws(PipelineError) -> [SearchHit] {
        try read { db in
            let keywords = KeywordQuery(query.text).expression
            var (vectors, words): ([ScoredChunk], [ScoredChunk]) = ([], [])
            let depth =
                query.mode == .hybrid ? max(query.count, Fusion.depth) : query.count
            if query.mode != .keyword {
                do { vectors = try nearest(db, query, count: depth) } catch PipelineError.noVectors
                    where query.mode == .hybrid
                {
                    // The words are there before the vectors are.
                }
            }
            if query.mode != .vector, let keywords {
                words = try Self.matching(db, keywords, query.filter, count: depth)
            }
            let ranked = Fusion.ranked(vectors, words, mode: query.mode).prefix(query.count)
            return try ranked.map { try Self.hit(db, $0, keywords: keywords) }
        }
    }

    private func nearest(
        _ db: Database, _ query: SearchQuery, count: Int
    ) throws -> [ScoredChunk] {
        guard let model = query.model else { throw PipelineError.noVectors }
        precondition(query.vector.count == model.dimension)
        let generation = try Self.generation(db)
        guard let active = generation.active else { throw PipelineError.noVectors }
        guard active == model.fingerprint else {
            throw PipelineError.otherModel(library: active, given: model.fingerprint)
        }
        if !generation.isChanging {
            let materials = try query.filter.isEmpty ? nil : Self.materials(db, query.filter)
            let found = try matrix.nearest(
                db, query.vector, fingerprint: active, count: count, materials: materials)
            if let found { return found }
        }
        return try Self.scan(db, query, generation, count: count)
    }

    private static func materials(_ db: Database, _ filter: SearchFilter) throws -> Set<Int64> {
        let (condition, arguments) = filter.condition
        return try Set(
            Int64.fetchAll(
                db, sql: "SELECT id FROM materials WHERE \(condition)", arguments: arguments))
    }

    /// Reads the vectors from the library itself: where no matrix can be, and while a new model's
    /// vectors are made and those that it replaced stand beside.
    private static func scan(
        _ db: Database, _ query: SearchQuery, _ generation: Generation, count: Int
    ) throws -> [ScoredChunk] {
        let (condition, filterArguments) = query.filter.condition
        let scope =
            query.filter.isEmpty
            ? "TRUE" : "chunk.material_id IN (SELECT id FROM materials WHERE \(condition))"
        let sql =
            generation.isChanging
            ? """
            SELECT chunk.id, CASE WHEN chunk.model_fingerprint = ?
                THEN chunk.embedding ELSE previous.embedding END
            FROM content_chunks AS chunk LEFT JOIN previous_embeddings AS previous
                ON previous.chunk_id = chunk.id AND previous.model_fingerprint = ?
            WHERE \(scope)
            """
            : """
            SELECT chunk.id, chunk.embedding FROM content_chunks AS chunk
            WHERE embedding_status = 'completed' AND model_fingerprint = ? AND \(scope)
            """
        var arguments: StatementArguments = [generation.active]
        if generation.isChanging { arguments += [generation.active] }
        let rows = try Row.fetchCursor(db, sql: sql, arguments: arguments + filterArguments)
        let norm = CosineScan.norm(query.vector)
        var best = BestChunks(limit: count)
        while let row = try rows.next() {
            try row.withUnsafeData(atIndex: 1) { data in
                guard let data,
                    let score = CosineScan.similarity(query.vector, norm: norm, stored: data)
                else { return }
                best.insert(ScoredChunk(id: row[0], score: score))
            }
        }
        return best.sorted
    }

    private static func matching(
        _ db: Database, _ expression: String, _ filter: SearchFilter, count: Int
    ) throws -> [ScoredChunk] {
        let (condition, filterArguments) = filter.condition
        let scope =
            filter.isEmpty
            ? ""
            : """
            AND (SELECT material_id FROM content_chunks WHERE id = chunk_terms.rowid)
                IN (SELECT id FROM materials WHERE \(condition))
            """
        let arguments: StatementArguments = [expression]
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT rowid, bm25(chunk_terms, 1.0, 0.5) AS score FROM chunk_terms
                WHERE chunk_terms MATCH ? \(scope) ORDER BY score, rowid LIMIT ?
                """, arguments: arguments + filterArguments + [count])
        return rows.map { row in
            let score: Double = row[1]
            return ScoredChunk(id: row[0], score: Float(-score))
        }
    }

    private static func hit(
        _ db: Database, _ ranked: Fusion.Ranked, keywords: String?
    ) throws -> SearchHit {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT chunk.id, chunk.material_id, chunk.ordinal, chunk.page, chunk.byte_start,
                    chunk.byte_end, chunk.place, chunk.text, material.title,
                    material.source_path, material.media_type, subject.name AS subject
                FROM content_chunks AS chunk
                    JOIN materials AS material ON material.id = chunk.material_id
                    JOIN subjects AS subject ON subject.id = material.subject_id
                WHERE chunk.id = ?
                """, arguments: [ranked.id])
        guard let row else { throw PipelineError.noSuchChunk(ranked.id) }
        let (start, end): (Int?, Int?) = (
            (try row.value("byte_start")), (try row.value("byte_end"))
        )
        var range: Range<Int>?
        if let start, let end, start <= end { range = start..<end }
        let json: String? = try row.value("place")
        var place = try json.map { try StoredPlace.place($0) } ?? SourcePlace()
        if place.pages == nil, let page: Int = try row.value("page") { place.pages = page...page }
        let text: String = try row.value("text")
        return SearchHit(
            chunkID: ranked.id, score: ranked.score, vectorRank: ranked.vectorRank,
            keywordRank: ranked.keywordRank, materialID: try row.value("material_id"),
            title: try row.value("title"), sourcePath: try row.value("source_path"),
            mediaType: try row.value("media_type"), subject: try row.value("subject"),
            ordinal: try row.value("ordinal"), place: place, byteRange: range, text: text,
            matches: try keywords.map { try matches(db, $0, ranked.id, in: text) } ?? [])
    }

    /// Where the query's words stand in a text, as the index sees them.
    private static func matches(
        _ db: Database, _ expression: String, _ id: Int64, in text: String
    ) throws -> [Range<Int>] {
        let marked = try String.fetchOne(
            db,
            sql: """
                SELECT highlight(chunk_terms, 0, char(2), char(3)) FROM chunk_terms
                WHERE chunk_terms MATCH ? AND rowid = ?
                """, arguments: [expression, id])
        // A text with these controls in it could not be told from the marks.
        guard let marked, !text.utf8.contains(2), !text.utf8.contains(3) else { return [] }
        var matches: [Range<Int>] = []
        var (offset, start) = (0, 0)
        for byte in marked.utf8 {
            switch byte {
            case 2: start = offset
            case 3: matches.append(start..<offset)
            default: offset += 1
            }
        }
        return matches
    }
}

/// Two rankings as one.
enum Fusion {
    /// Candidates of each ranking.
    static let depth = 100
    /// Of the original: so much that the first places do not decide alone.
    private static let constant: Float = 60

    struct Ranked {
        var id: Int64
        var score: Float
        var vectorRank: Int?
        var keywordRank: Int?
    }

    static func ranked(
        _ vectors: [ScoredChunk], _ words: [ScoredChunk], mode: SearchQuery.Mode
    ) -> [Ranked] {
        var found: [Int64: Ranked] = [:]
        for (index, chunk) in vectors.enumerated() {
            found[chunk.id] = Ranked(id: chunk.id, score: chunk.score, vectorRank: index + 1)
        }
        for (index, chunk) in words.enumerated() {
            found[chunk.id, default: Ranked(id: chunk.id, score: chunk.score)].keywordRank =
                index + 1
        }
        if mode == .hybrid {
            for (id, ranked) in found {
                let score = [ranked.vectorRank, ranked.keywordRank].compactMap { $0 }
                    .reduce(Float(0)) { $0 + 1 / (constant + Float($1)) }
                found[id]?.score = score
            }
        }
        return found.values.sorted { left, right in
            left.score != right.score ? left.score > right.score : left.id < right.id
        }
    }
}
