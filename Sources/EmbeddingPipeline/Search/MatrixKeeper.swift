import EmbeddingEngine
import Foundation
import GRDB
import Synchronization

/// Keeps the matrix beside a library in step with it.
final class MatrixKeeper: Sendable {
    /// The matrix is used by one thread at a time: it never leaves the lock.
    private struct Slot: @unchecked Sendable { var matrix: VectorMatrix? }

    private let slot = Mutex(Slot())
    private let path: String

    init(libraryPath: String) { path = libraryPath + "-vectors" }

    /// More changes than this share of the rows are quicker made anew.
    private static let largestShare = 0.3
    private static let batchRowCount = 2000

    /// Brings the matrix in step with a state of the library, and looks for what is nearest. The
    /// scores are those of the vectors in the library itself: rounding in the product decides nothing.
    ///
    /// - Returns: nil when there is no matrix that may be read or written here.
    func nearest(
        _ db: Database, _ query: [Float], fingerprint: String, count: Int, materials: Set<Int64>?
    ) throws -> [ScoredChunk]? {
        let state = try LibraryState(db, fingerprint: fingerprint, dimension: query.count)
        let candidates: [Int64]? = try slot.withLock { slot in
            guard let matrix = try current(slot.matrix, db, state) else {
                slot.matrix = nil
                return nil
            }
            slot.matrix = matrix
            defer { matrix.unlock() }
            return matrix.candidates(query, count: count, materials: materials)
        }
        guard let candidates else { return nil }
        let norm = CosineScan.norm(query)
        var best = BestChunks(limit: count)
        let statement = try db.makeStatement(
            sql: "SELECT embedding FROM content_chunks WHERE id = ?")
        for id in candidates {
            guard let data = try Data.fetchOne(statement, arguments: [id]),
                let score = CosineScan.similarity(query, norm: norm, stored: data)
            else { continue }
            best.insert(ScoredChunk(id: id, score: score))
        }
        return best.sorted
    }

    /// What the matrix is to be in step with.
    private struct LibraryState {
        var identity: Data
        var fingerprint: String
        var dimension: Int
        var version: Int64

        init(_ db: Database, fingerprint: String, dimension: Int) throws {
            identity =
                try Data.fetchOne(db, sql: "SELECT identity FROM library_identity") ?? Data()
            version =
                try Int64.fetchOne(
                    db, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'vector_changes'") ?? 0
            self.fingerprint = fingerprint
            self.dimension = dimension
        }

        func isOf(_ header: VectorMatrix.Header) -> Bool {
            header.identity == identity && header.fingerprint == fingerprint
                && header.dimension == dimension
        }
    }

    /// The matrix in step, locked against changes of others until it is unlocked.
    private func current(
        _ open: VectorMatrix?, _ db: Database, _ state: LibraryState
    ) throws -> VectorMatrix? {
        // Who renames a new one over it, or writes before the lock is had, is waited for again.
        var matrix = open
        for _ in 0..<10 {
            if matrix == nil || matrix?.isCurrentFile == false {
                matrix =
                    VectorMatrix(path: path, writable: true)
                    ?? VectorMatrix(path: path, writable: false)
            }
            guard let present = matrix else { break }
            present.lock(exclusively: false)
            if present.isCurrentFile, present.refresh(), state.isOf(present.header),
                present.header.version == state.version
            {
                return present
            }
            present.unlock()
            present.lock(exclusively: true)
            let isUsable =
                present.isCurrentFile && present.refresh() && state.isOf(present.header)
                && present.header.version <= state.version
            if isUsable, try follow(present, db, state) { return present }
            let isReplaced = !present.isCurrentFile
            present.unlock()
            matrix = nil
            if !isReplaced { break }
        }
        return try make(db, state)
    }

    /// Writes what has changed since.
    private func follow(
        _ matrix: VectorMatrix, _ db: Database, _ state: LibraryState
    ) throws -> Bool {
        let changedIDs = try Set(
            Int64.fetchAll(
                db, sql: "SELECT chunk_id FROM vector_changes WHERE version > ?",
                arguments: [matrix.header.version]))
        let largest = max(1000, Int(Double(matrix.header.rowCount) * Self.largestShare))
        guard changedIDs.count <= largest else { return false }
        var places: [Int64: Int] = [:]
        var free: [Int] = []
        for row in 0..<matrix.header.rowCount {
            let id = matrix.chunkID(row)
            if id == 0 { free.append(row) } else if changedIDs.contains(id) { places[id] = row }
        }
        var changed: [(index: Int, row: VectorMatrix.Row)] = []
        var added: [VectorMatrix.Row] = []
        for id in changedIDs.sorted() {
            let row = try Self.row(db, id, state)
            switch (places[id], row) {
            case (let place?, let row):
                changed.append((place, row ?? .init(chunkID: 0, materialID: 0, vector: [])))
            case (nil, let row?):
                if let place = free.popLast() {
                    changed.append((place, row))
                } else {
                    added.append(row)
                }
            case (nil, nil): break
            }
        }
        return matrix.update(changed, adding: added, version: state.version)
    }

    /// Makes the matrix anew and puts it in the place of the old one.
    private func make(_ db: Database, _ state: LibraryState) throws -> VectorMatrix? {
        let temporary = "\(path).\(UUID().uuidString.prefix(8)).tmp"
        var header = VectorMatrix.Header(
            identity: state.identity, fingerprint: state.fingerprint,
            dimension: state.dimension)
        header.version = state.version
        guard let new = VectorMatrix(creating: temporary, header) else { return nil }
        var isWhole = false
        defer { if !isWhole { unlink(temporary) } }
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT id, material_id, embedding FROM content_chunks
                WHERE embedding_status = 'completed' AND model_fingerprint = ? ORDER BY id
                """, arguments: [state.fingerprint])
        var batch: [VectorMatrix.Row] = []
        while let row = try rows.next() {
            guard let row = try Self.row(row, state) else { continue }
            batch.append(row)
            if batch.count == Self.batchRowCount {
                guard new.update([], adding: batch, version: state.version) else { return nil }
                batch = []
            }
        }
        new.lock(exclusively: true)
        guard new.update([], adding: batch, version: state.version), new.move(to: path) else {
            return nil
        }
        isWhole = true
        return new
    }

    private static func row(
        _ db: Database, _ id: Int64, _ state: LibraryState
    ) throws -> VectorMatrix.Row? {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT id, material_id, embedding FROM content_chunks
                WHERE id = ? AND embedding_status = 'completed' AND model_fingerprint = ?
                """, arguments: [id, state.fingerprint])
        return try row.flatMap { try self.row($0, state) }
    }

    /// A vector of another length, or of none, is in no matrix.
    private static func row(_ row: Row, _ state: LibraryState) throws -> VectorMatrix.Row? {
        guard let data: Data = try row.value("embedding"),
            let vector = StoredVector.elements(data), vector.count == state.dimension
        else { return nil }
        let norm = CosineScan.norm(vector)
        guard norm > 0, norm.isFinite else { return nil }
        return VectorMatrix.Row(
            chunkID: try row.value("id"), materialID: try row.value("material_id"),
            vector: vector.map { $0 / norm })
    }
}
