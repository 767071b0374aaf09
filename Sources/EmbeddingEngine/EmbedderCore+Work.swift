import Tokenization
import Transformer

// What a worker does.
extension EmbedderCore {
    func tokenize(_ ranges: [(record: JobRecord, range: BatchScheduler.TextRange)]) {
        for (record, range) in ranges {
            var texts: [BatchScheduler.Tokenized] = []
            var results: [EmbeddingJob.TextResult] = []
            for index in range.indices {
                switch record.tokenize(index, model.tokenizer) {
                case .ids(let ids): texts.append(.ids(ids))
                case .result(let value):
                    texts.append(.finished)
                    results.append(.init(index: index, value: value))
                }
            }
            let cached = hand(over: &texts, of: range)
            record.deliver(results)
            for (index, ids, vector) in cached {
                record.deliver(vector, tokenCount: ids.count, index: index)
            }
        }
    }

    /// Tells the scheduler of tokenized texts; those that the cache knows are returned.
    private func hand(
        over texts: inout [BatchScheduler.Tokenized], of range: BatchScheduler.TextRange
    ) -> [(index: Int, ids: [Int32], vector: [Float])] {
        state.withLock { state in
            var cached: [(Int, [Int32], [Float])] = []
            if state.cache.isEnabled {
                for n in texts.indices {
                    guard case .ids(let ids) = texts[n], let vector = state.cache.vector(ids) else {
                        continue
                    }
                    texts[n] = .finished
                    cached.append((range.indices.lowerBound + n, ids, vector))
                }
            }
            state.scheduler.tokenized(range.job, from: range.indices.lowerBound, texts)
            if !state.scheduler.contains(range.job) { state.jobs[range.job] = nil }
            return cached
        }
    }

    func help(_ team: EncoderTeam, _ worker: EmbedderWorker) {
        team.help(worker.workspace)
        state.withLock {
            $0.memory.workspaceByteCounts[worker.index] = worker.workspace.byteCount
        }
    }

    func compute(
        _ batch: [BatchScheduler.BatchEntry], _ worker: EmbedderWorker, _ team: EncoderTeam?
    ) {
        let start = Instant.now
        let failures = worker.compute(batch.map(\.ids), team)
        let seconds = (Instant.now - start).seconds
        let tokens = batch.reduce(0) { $0 + $1.ids.count }
        let deliveries = state.withLock { state in
            if team != nil { state.team = nil }
            let texts = state.scheduler.completed(batch.map(\.sequence))
            let deliveries = texts.map { $0.map { (state.jobs[$0.job], $0.index) } }
            for text in texts.joined() where !state.scheduler.contains(text.job) {
                state.jobs[text.job] = nil
            }
            if state.cache.isEnabled {
                for (n, entry) in batch.enumerated() where failures[n] == nil {
                    state.cache.insert(entry.ids, Array(worker.vector(n)))
                }
            }
            state.memory.end(worker: worker.index, worker.workspace.byteCount)
            state.cost.observe(tokens: tokens, seconds: seconds)
            state.statistics.batchCount += 1
            state.statistics.tokenCount += tokens
            state.statistics.textCount += batch.count
            state.statistics.computeSeconds += seconds
            return deliveries
        }
        // Not before: helpers that leave would take turns with this thread at the lock.
        team?.finish()
        var results: [ObjectIdentifier: (record: JobRecord, texts: [(Int, Int)])] = [:]
        for (n, texts) in deliveries.enumerated() {
            for case (let record?, let index) in texts {
                results[ObjectIdentifier(record), default: (record, [])].texts.append((index, n))
            }
        }
        for (record, texts) in results.values {
            record.deliver(texts, worker, failures)
        }
    }
}
