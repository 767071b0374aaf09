import COpenBLAS

extension VectorMatrix {
    /// Rows of a block: 12 MB of vectors of 384 elements.
    private static let blockRowCount = 8192
    /// How much of a large matrix may stay in this process's memory.
    private static let residentByteCount = 128 << 20
    /// Candidates beyond those asked for, so that rounding in the product decides nothing.
    private static let spareCount = 32

    /// The chunks nearest to a query, in no order, and some more: a matrix-vector product, a block of
    /// rows at a time.
    ///
    /// - Parameters:
    ///   - query: `[D]`.
    ///   - materials: whose rows count; nil for all.
    func candidates(_ query: [Float], count: Int, materials: Set<Int64>?) -> [Int64] {
        let norm = CosineScan.norm(query)
        guard let rows, norm > 0, norm.isFinite, query.count == header.dimension else { return [] }
        var best = BestRows(limit: count + Self.spareCount)
        var scores = [Float](repeating: 0, count: Self.blockRowCount)
        let isLarge = header.rowCount * stride > Self.residentByteCount * 2
        var kept = 0
        var start = 0
        while start < header.rowCount {
            let end = min(start + Self.blockRowCount, header.rowCount)
            let block = (rows + start * stride).assumingMemoryBound(to: Float.self)
            // y [rows] ← A [rows, D] · x [D]; the rows of A are a stride apart.
            cblas_sgemv(
                CblasRowMajor, CblasNoTrans, blasint(end - start), blasint(header.dimension),
                1 / norm, block, blasint(stride / 4), query, 1, 0, &scores, 1)
            for i in 0..<end - start where best.takes(scores[i]) {
                let row = start + i
                let id = chunkID(row)
                guard id > 0, materials?.contains(materialID(row)) ?? true else { continue }
                best.insert(row: row, score: scores[i])
            }
            if isLarge, (end - kept) * stride > Self.residentByteCount {
                release(kept..<end)
                kept = end
            }
            start = end
        }
        return best.rows.map(chunkID)
    }
}

/// The rows with the best scores, in memory for those only.
private struct BestRows {
    private let limit: Int
    /// A heap: the worst is first.
    private var heap: [(row: Int, score: Float)] = []

    init(limit: Int) { self.limit = limit }

    var rows: [Int] { heap.map(\.row) }

    /// Whether a score could be among the best. NaN is not.
    func takes(_ score: Float) -> Bool {
        heap.count < limit ? score.isFinite : score > heap[0].score
    }

    mutating func insert(row: Int, score: Float) {
        if heap.count == limit {
            heap[0] = (row, score)
            sink()
        } else {
            heap.append((row, score))
            rise()
        }
    }

    private mutating func rise() {
        var i = heap.count - 1
        while i > 0, heap[i].score < heap[(i - 1) / 2].score {
            heap.swapAt(i, (i - 1) / 2)
            i = (i - 1) / 2
        }
    }

    private mutating func sink() {
        var i = 0
        while true {
            var least = i
            for child in [2 * i + 1, 2 * i + 2] where child < heap.count {
                if heap[child].score < heap[least].score { least = child }
            }
            if least == i { return }
            heap.swapAt(i, least)
            i = least
        }
    }
}
