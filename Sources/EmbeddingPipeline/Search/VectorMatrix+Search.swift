import Dispatch
import Foundation
import Synchronization
import Transformer

extension VectorMatrix {
    /// Rows of a block: 12 MB of vectors of 384 elements.
    private static let blockRowCount = 8192
    /// How much of a large matrix may stay in this process's memory.
    private static let residentByteCount = 128 << 20
    /// Candidates beyond those asked for, so that rounding in the product decides nothing.
    private static let spareCount = 32

    /// The chunks nearest to a query, in no order, and some more: a matrix-vector product, a block of
    /// rows at a time, on all processors.
    ///
    /// - Parameters:
    ///   - query: `[D]`.
    ///   - materials: whose rows count; nil for all.
    func candidates(_ query: [Float], count: Int, materials: Set<Int64>?) -> [Int64] {
        let norm = CosineScan.norm(query)
        guard rows != nil, norm > 0, norm.isFinite, query.count == header.dimension else {
            return []
        }
        let unit = query.map { $0 / norm }
        let limit = count + Self.spareCount
        let blockCount = (header.rowCount + Self.blockRowCount - 1) / Self.blockRowCount
        let shareCount = max(1, min(ProcessInfo.processInfo.activeProcessorCount, 8, blockCount))
        let best = Mutex(BestRows(limit: limit))
        // Read only, and by nobody else while this waits for all shares.
        nonisolated(unsafe) let matrix = self
        DispatchQueue.concurrentPerform(iterations: shareCount) { share in
            let first = blockCount * share / shareCount * Self.blockRowCount
            let end = blockCount * (share + 1) / shareCount * Self.blockRowCount
            let found = matrix.best(
                unit, in: first..<min(end, matrix.header.rowCount), limit: limit,
                materials: materials)
            best.withLock { best in
                for (row, score) in found.rows where best.takes(score) {
                    best.insert(row: row, score: score)
                }
            }
        }
        return best.withLock { $0.rows.map { self.chunkID($0.row) } }
    }

    /// The best of some rows.
    private func best(
        _ query: [Float], in range: Range<Int>, limit: Int, materials: Set<Int64>?
    ) -> BestRows {
        var best = BestRows(limit: limit)
        guard let rows else { return best }
        var scores = [Float](repeating: 0, count: Self.blockRowCount)
        let isLarge = header.rowCount * stride > Self.residentByteCount * 2
        var kept = range.lowerBound
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(start + Self.blockRowCount, range.upperBound)
            let block = (rows + start * stride).assumingMemoryBound(to: Float.self)
            BLAS.product(
                block, stride: stride / 4, rows: end - start, columns: header.dimension, query,
                into: &scores)
            for i in 0..<end - start where best.takes(scores[i]) {
                let row = start + i
                guard chunkID(row) > 0, materials?.contains(materialID(row)) ?? true else {
                    continue
                }
                best.insert(row: row, score: scores[i])
            }
            if isLarge, (end - kept) * stride > Self.residentByteCount / 4 {
                release(kept..<end)
                kept = end
            }
            start = end
        }
        return best
    }
}

/// The rows with the best scores, in memory for those only.
private struct BestRows {
    private let limit: Int
    /// A heap: the worst is first.
    private(set) var rows: [(row: Int, score: Float)] = []

    init(limit: Int) { self.limit = limit }

    /// Whether a score could be among the best. NaN is not.
    func takes(_ score: Float) -> Bool {
        rows.count < limit ? score.isFinite : score > rows[0].score
    }

    mutating func insert(row: Int, score: Float) {
        if rows.count == limit {
            rows[0] = (row, score)
            sink()
        } else {
            rows.append((row, score))
            rise()
        }
    }

    private mutating func rise() {
        var i = rows.count - 1
        while i > 0, rows[i].score < rows[(i - 1) / 2].score {
            rows.swapAt(i, (i - 1) / 2)
            i = (i - 1) / 2
        }
    }

    private mutating func sink() {
        var i = 0
        while true {
            var least = i
            for child in [2 * i + 1, 2 * i + 2] where child < rows.count {
                if rows[child].score < rows[least].score { least = child }
            }
            if least == i { return }
            rows.swapAt(i, least)
            i = least
        }
    }
}
