import Kernels
import Synchronization
import Tokenization

/// A job in work: its texts, how far it is, and who hears of it.
final class JobRecord: Sendable {
    private let job: EmbeddingJob
    private let truncation: Truncation
    private let normalizes: Bool
    private let dimension: Int
    private let receiver: any EmbeddingJobReceiver
    private let progress: Mutex<Progress>
    /// What truncation took from each text, as far as anything.
    private let droppedTokenCounts = Mutex<[Int: Int]>([:])

    private struct Progress {
        var unfinishedCount: Int
        var hasEnded = false
    }

    init(
        _ job: EmbeddingJob, window: Int, _ model: EmbeddingModel,
        _ receiver: any EmbeddingJobReceiver
    ) {
        self.job = job
        self.receiver = receiver
        truncation = Truncation(
            maximumTokenCount: window, direction: job.request.truncationDirection)
        normalizes = job.request.normalize ?? model.settings.normalize
        dimension = job.request.dimension ?? model.dimension
        progress = Mutex(Progress(unfinishedCount: job.texts.count))
    }

    enum Tokenized {
        case ids([Int32])
        case result(EmbeddingJob.TextResult.Value)
    }

    func tokenize(_ index: Int, _ tokenizer: Tokenizer) -> Tokenized {
        if index == 0 { receiver.begin() }
        let text = job.texts[index]
        switch job.purpose {
        case .count: return .result(.tokenCount(tokenizer.tokenCount(text)))
        case .tokenize:
            return .result(
                .encoding(
                    tokenizer.encode(text, truncation: job.request.truncates ? truncation : nil)))
        case .embed:
            let encoding = tokenizer.encodeIDs(text, truncation: truncation)
            let dropped = encoding.droppedTokenCount
            if dropped > 0 {
                guard job.request.truncates else {
                    return .result(
                        .failure(
                            .textTooLong(
                                index: index, tokenCount: encoding.ids.count + dropped,
                                limit: truncation.maximumTokenCount)))
                }
                droppedTokenCounts.withLock { $0[index] = dropped }
            }
            return .ids(encoding.ids)
        }
    }

    /// The job is over, for good; false when it was already.
    @discardableResult func finish(_ end: EmbeddingJob.End) -> Bool {
        let isFirst = progress.withLock { progress in
            defer { progress.hasEnded = true }
            return !progress.hasEnded
        }
        if isFirst { receiver.end(end) }
        return isFirst
    }

    func deliver(_ results: [EmbeddingJob.TextResult]) {
        guard !results.isEmpty, !progress.withLock(\.hasEnded) else { return }
        receiver.receive(results)
        let isLast = progress.withLock { progress in
            progress.unfinishedCount -= results.count
            return progress.unfinishedCount == 0
        }
        if isLast { finish(.finished) }
    }

    /// Delivers a pooled vector, `[H]`.
    func deliver(_ pooled: [Float], tokenCount: Int, index: Int) {
        pooled.withUnsafeBufferPointer { pooled in
            deliver(pooled: [(index, tokenCount, pooled)], failures: [])
        }
    }

    /// Delivers what a batch computed for texts of this job.
    ///
    /// - Parameters:
    ///   - texts: the text's index in the job, and that of its vector in the batch.
    func deliver(
        _ texts: [(index: Int, row: Int)], _ batch: EmbedderWorker, _ failures: [EmbeddingError?]
    ) {
        var vectors: [(Int, Int, UnsafeBufferPointer<Float>)] = []
        var failed: [EmbeddingJob.TextResult] = []
        for (index, row) in texts {
            if failures[row] != nil {
                failed.append(Self.notFinite(index))
            } else {
                vectors.append((index, batch.tokenCount(row), batch.vector(row)))
            }
        }
        deliver(pooled: vectors, failures: failed)
    }

    /// The only way that a batch of tokenized texts can fail.
    private static func notFinite(_ index: Int) -> EmbeddingJob.TextResult {
        .init(index: index, value: .failure(.model(.nonFiniteOutput(sequence: index))))
    }

    private func deliver(
        pooled: [(index: Int, tokenCount: Int, vector: UnsafeBufferPointer<Float>)],
        failures: [EmbeddingJob.TextResult]
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: pooled.count * dimension) { out in
            var results = failures
            for (n, (index, tokenCount, vector)) in pooled.enumerated() {
                let row = UnsafeMutableBufferPointer(
                    rebasing: out[n * dimension..<(n + 1) * dimension])
                _ = row.update(fromContentsOf: vector[..<dimension])
                if normalizes, let base = row.baseAddress {
                    Pooling.normalize(base, width: dimension)
                }
                // A length beyond the numbers' range makes no unit vector.
                guard row.allSatisfy(\.isFinite) else {
                    results.append(Self.notFinite(index))
                    continue
                }
                results.append(
                    .init(
                        index: index,
                        value: .vector(
                            UnsafeBufferPointer(row), tokenCount: tokenCount,
                            droppedTokenCount: droppedTokenCounts.withLock { $0[index] ?? 0 })))
            }
            deliver(results)
        }
    }
}
