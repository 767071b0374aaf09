/// Puts a job's vectors in order for a caller that waits for all of them.
final class VectorCollector: EmbeddingJobReceiver {
    private let state: Monitor<State>
    private let dimension: Int
    private let onBatch: Embedder.BatchObserver?

    private struct State {
        var embeddings: Embeddings
        var failure: EmbeddingError?
        var end: EmbeddingJob.End?
    }

    init(count: Int, dimension: Int, onBatch: Embedder.BatchObserver?) {
        self.dimension = dimension
        self.onBatch = onBatch
        state = Monitor(
            State(
                embeddings: Embeddings(
                    vectors: [Float](repeating: 0, count: count * dimension),
                    dimension: dimension, tokenCounts: [Int](repeating: 0, count: count),
                    droppedTokenCounts: [Int](repeating: 0, count: count))))
    }

    func begin() {}

    func receive(_ results: [EmbeddingJob.TextResult]) {
        var tokens = 0
        state.withLock { state in
            for result in results {
                switch result.value {
                case .vector(let vector, let tokenCount, let droppedTokenCount):
                    let start = result.index * dimension
                    state.embeddings.vectors.withUnsafeMutableBufferPointer {
                        _ = $0[start..<start + dimension].update(from: vector)
                    }
                    state.embeddings.tokenCounts[result.index] = tokenCount
                    state.embeddings.droppedTokenCounts[result.index] = droppedTokenCount
                    tokens += tokenCount
                case .failure(let error): state.failure = state.failure ?? error
                case .encoding, .tokenCount: break
                }
            }
        }
        if let onBatch, !onBatch(results.count, tokens) {
            state.withLock { $0.failure = $0.failure ?? .cancelled }
        }
        state.notifyAll()
    }

    func end(_ end: EmbeddingJob.End) {
        state.withLock { $0.end = end }
        state.notifyAll()
    }

    /// The vectors, once all are there.
    ///
    /// - Parameter cancel: ends the job; called when a text failed.
    /// - Throws: `EmbeddingError`.
    func wait(cancel: () -> Void) throws(EmbeddingError) -> Embeddings {
        let result: Result<Embeddings, EmbeddingError>? = state.wait { state in
            if let failure = state.failure { return .failure(failure) }
            switch state.end {
            case nil: return nil
            case .finished?:
                let embeddings = state.embeddings
                state.embeddings.vectors = []
                return .success(embeddings)
            case .cancelled?, .deadlineExceeded?: return .failure(.cancelled)
            }
        }
        switch result {
        case .success(let embeddings)?: return embeddings
        case .failure(let error)?:
            cancel()
            throw error
        case nil: throw .cancelled
        }
    }
}
