/// What texts would cost.
public struct BatchPrediction: Sendable, Equatable {
    /// Batches that the texts make.
    public var batchCount: Int
    /// What the process would hold at most, in bytes.
    public var peakByteCount: Int
    /// The time that they take on all workers.
    public var seconds: Double
    /// The ceiling of the resident set, in bytes.
    public var ceiling: Int

    /// Whether the texts can be computed under the ceiling at all.
    public var fits: Bool { peakByteCount <= ceiling }

    /// - Parameters:
    ///   - lengths: tokens of each text.
    ///   - byteCount: what is kept for the texts beside the batches.
    init(
        lengths: [Int], byteCount: Int, _ cost: CostModel, batchTokenCount: Int,
        workerCount: Int, ceiling: Int
    ) {
        self.ceiling = ceiling
        let longest = lengths.max() ?? 0
        func peak(workers: Int, tokens: Int) -> Int {
            let workspace = cost.workspaceByteCount(tokens: tokens, longest: longest)
            return cost.baseByteCount + byteCount + workers * (cost.workerByteCount + workspace)
        }
        // Batches shrink as they will when memory is short, down to one text on one worker.
        var (tokens, workers) = (max(batchTokenCount, longest), workerCount)
        let total = lengths.reduce(0, +)
        tokens = min(tokens, max(total, longest))
        while peak(workers: workers, tokens: tokens) > ceiling, tokens > longest {
            tokens = max(longest, tokens / 2)
        }
        while peak(workers: workers, tokens: tokens) > ceiling, workers > 1 { workers -= 1 }
        peakByteCount = peak(workers: lengths.isEmpty ? 0 : workers, tokens: tokens)

        var (count, room) = (0, 0)
        var time = 0.0
        var used = 0
        for length in lengths {
            if length > room {
                if used > 0 { time += cost.seconds(tokens: used) }
                (count, room, used) = (count + 1, tokens, 0)
            }
            room -= length
            used += length
        }
        if used > 0 { time += cost.seconds(tokens: used) }
        batchCount = count
        seconds = time / Double(max(1, min(workers, count)))
    }
}
