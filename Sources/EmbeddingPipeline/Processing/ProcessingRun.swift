import EmbeddingEngine
import GRDB

/// One run of a processor over a selection. Used by one thread.
final class ProcessingRun {
    let options: ContentProcessor.Options
    private(set) var report = ProcessingReport()
    private let processor: ContentProcessor
    private let selection: ChunkSelection
    private let lease: TaskLease?
    private let isStopRequested: @Sendable () -> Bool
    private let onProgress: ContentProcessor.ProgressObserver
    private let start = ContinuousClock.now
    private var progress: ProcessingProgress
    /// Chunks that have failed in this run: they are not tried again in it.
    private var failedIDs: Set<Int64> = []
    private var inWork: [HandedOver] = []
    /// Groups that may be in work at once.
    private var depth = 2
    private var isWarm = false

    private var library: Library { processor.library }
    private var model: ModelIdentity { processor.embedder.model }

    init(
        _ processor: ContentProcessor, _ selection: ChunkSelection,
        _ options: ContentProcessor.Options, _ lease: TaskLease?, _ need: ChunkNeed,
        isStopRequested: @escaping @Sendable () -> Bool,
        onProgress: @escaping ContentProcessor.ProgressObserver
    ) {
        self.processor = processor
        self.selection = selection
        self.options = options
        self.lease = lease
        self.isStopRequested = isStopRequested
        self.onProgress = onProgress
        progress = ProcessingProgress(
            doneCount: 0, failedCount: 0, totalCount: need.chunkCount, doneTokenCount: 0,
            totalTokenCount: need.tokenCount, batchCount: 0, memory: processor.memory.state(),
            elapsed: .zero)
    }

    /// Works until no chunk is left that this run can do.
    ///
    /// - Parameters:
    ///   - batchSize: the chunks that may be in work, by the state of memory.
    func process(batchSize: (MemoryState) -> Int) throws(PipelineError) {
        do throws(PipelineError) {
            while !isStopRequested() {
                let before = report
                try pass(batchSize)
                if report == before, try !waitForOthers() { break }
            }
        } catch {
            for group in inWork {
                group.cancel()
                processor.gate.leave()
            }
            library.relinquish(inWork.map(\.claim))
            throw error
        }
        report.isStopped = isStopRequested()
    }

    /// Goes once over all chunks in need.
    private func pass(_ batchSize: (MemoryState) -> Int) throws(PipelineError) {
        var supply = try library.read { [self] db in
            try ChunkSupply(db, selection, model, excluding: failedIDs)
        }
        var hasMore = true
        while hasMore || !inWork.isEmpty {
            // The first of two halves is stored while the second is computed.
            let finished = inWork.count >= depth || !hasMore ? inWork.first : nil
            let outcomes = try finished.map { group throws(PipelineError) in try finish(group) }
            var limit = 0
            if hasMore, !isStopRequested(), enterGate() {
                limit = max(1, prepareBatch(batchSize) / 2)
            } else if inWork.isEmpty || isStopRequested() {
                hasMore = false
            }
            let isDry = try exchange(finished, outcomes, &supply, limit: limit)
            if isDry { hasMore = false }
            // Someone waits to be alone: what is in work here ends first.
            if limit == 0, finished == nil, !inWork.isEmpty { try drain() }
        }
        try passOverSuspects(&supply, batchSize)
    }

    /// Asks for the right to take more into work.
    private func enterGate() -> Bool {
        inWork.isEmpty
            ? processor.gate.enter(alone: false, isStopRequested: isStopRequested)
            : processor.gate.tryEnter()
    }

    /// Stores what is in work.
    private func drain() throws(PipelineError) {
        while let group = inWork.first {
            let outcomes = try finish(group)
            let tally = try library.write { [self] db in
                if let lease { try library.renew(db, lease) }
                return try library.settle(db, group.claim, outcomes, model)
            }
            settled(group, outcomes, tally)
        }
    }

    /// Stores a group and takes the next, in one transaction.
    ///
    /// - Parameters:
    ///   - finished: the first in work, if it is done.
    ///   - limit: chunks of the next, for which the gate was entered; 0 takes none.
    /// - Returns: whether chunks were asked for and none was left.
    private func exchange(
        _ finished: HandedOver?, _ outcomes: [ChunkOutcome]?, _ supply: inout ChunkSupply,
        limit: Int
    ) throws(PipelineError) -> Bool {
        if finished == nil, limit == 0 { return false }
        var isHandedOver = false
        defer { if limit > 0, !isHandedOver { processor.gate.leave() } }
        let (tally, claim, reuse) = try library.write { [self] db in
            if let lease { try library.renew(db, lease) }
            var tally = ChunkTally()
            if let finished, let outcomes {
                tally = try library.settle(db, finished.claim, outcomes, model)
            }
            guard limit > 0 else { return (tally, Claim?.none, ChunkTally()) }
            let (claim, reuse) = try library.claim(
                db, limit: limit, selection.filter, model, isAlone: false
            ) { try supply.next(db) }
            return (tally, claim, reuse)
        }
        served(reuse)
        if let finished, let outcomes { settled(finished, outcomes, tally) }
        if let claim {
            handOver(claim)
            isHandedOver = true
        }
        return limit > 0 && claim == nil && reuse.reusedCount == 0
    }

    /// Chunks that were in work when a process ended: in ever smaller groups, one at a time.
    private func passOverSuspects(
        _ supply: inout ChunkSupply, _ batchSize: (MemoryState) -> Int
    ) throws(PipelineError) {
        while !isStopRequested() {
            let size = prepareBatch(batchSize)
            var candidates = supply.nextSuspects(batchSize: size)[...]
            if candidates.isEmpty { return }
            warmUp()
            let isAlone = candidates.count == 1
            let limit = candidates.count
            guard processor.gate.enter(alone: isAlone, isStopRequested: isStopRequested) else {
                return
            }
            let claim: Claim?
            do throws(PipelineError) {
                claim = try library.write { [self] db in
                    if let lease { try library.renew(db, lease) }
                    let (claim, tally) = try library.claim(
                        db, limit: limit, selection.filter, model, isAlone: isAlone
                    ) { candidates.popFirst() }
                    served(tally)
                    return claim
                }
            } catch {
                processor.gate.leave()
                throw error
            }
            guard let claim else {
                processor.gate.leave()
                continue
            }
            handOver(claim)
            try drain()
        }
    }

    /// Has the engine compute once before chunks are suspected of ending the process: what ends it
    /// while it starts is not their fault.
    private func warmUp() {
        guard !isWarm, progress.batchCount == 0 else { return }
        isWarm = true
        let chunk = ClaimedChunk(id: 0, materialID: 0, text: "a", textHash: .init(), tokenCount: 3)
        _ = HandedOver(Claim(id: 0, chunks: [chunk]), processor.embedder).wait(isStopRequested)
    }

    private func handOver(_ claim: Claim) {
        progress.batchCount += 1
        inWork.append(HandedOver(claim, processor.embedder))
    }

    /// Reads the memory before a batch, and gives back what can be spared where it is nearly full.
    ///
    /// - Returns: the chunks that may be in work.
    private func prepareBatch(_ batchSize: (MemoryState) -> Int) -> Int {
        var state = processor.memory.state()
        if BatchDecision.releasesMemory(state) {
            processor.embedder.releaseMemory()
            processor.logger.notice(
                "memory given back", metadata: ["memory": "\(state.percentage)"])
            state = processor.memory.state()
        }
        progress.memory = state
        let size = batchSize(state)
        depth = min(2, size)
        processor.logger.debug(
            "batch",
            metadata: [
                "number": "\(progress.batchCount + 1)", "chunks": "\(size)",
                "memory": "\(state.percentage)",
            ])
        return size
    }

    /// Waits for a group, and tries again alone what has failed in company.
    private func finish(_ group: HandedOver) throws(PipelineError) -> [ChunkOutcome] {
        let results = group.wait(isStopRequested)
        var outcomes: [ChunkOutcome] = []
        for (index, result) in results.enumerated() {
            switch result {
            case .success(let vector): outcomes.append(.vector(vector))
            case .failure(.cancelled): outcomes.append(.released)
            case .failure(let error):
                if error.concernsAllTexts { throw .engine(error) }
                outcomes.append(retry(group, index, error))
            }
        }
        return outcomes
    }

    private func retry(
        _ group: HandedOver, _ index: Int, _ error: EmbeddingError
    ) -> ChunkOutcome {
        let chunk = group.claim.chunks[index]
        var final = error
        if group.claim.chunks.count > 1 {
            let single = HandedOver(Claim(id: 0, chunks: [chunk]), processor.embedder)
            switch single.wait(isStopRequested)[0] {
            case .success(let vector): return .vector(vector)
            case .failure(.cancelled): return .released
            case .failure(let error): final = error
            }
        }
        failedIDs.insert(chunk.id)
        report.failures.append(
            .init(
                chunkID: chunk.id, materialID: chunk.materialID,
                reason: final.chunkDescription, isPassing: final.isPassing))
        return .failure(final.chunkDescription)
    }

    /// Chunks got the vectors of equal texts.
    private func served(_ tally: ChunkTally) {
        report.reusedCount += tally.reusedCount
        progress.doneCount += tally.reusedCount
        progress.doneTokenCount += tally.tokenCount
    }

    /// The first in work is stored.
    private func settled(_ group: HandedOver, _ outcomes: [ChunkOutcome], _ tally: ChunkTally) {
        inWork.removeFirst()
        processor.gate.leave()
        report.completedCount += tally.completedCount
        report.reusedCount += tally.reusedCount
        report.supersededCount += tally.supersededCount
        progress.doneCount += tally.completedCount + tally.reusedCount + tally.failedCount
        progress.failedCount += tally.failedCount
        failedIDs.formUnion(tally.failedTwinIDs)
        report.failedCopyCount += tally.failedTwinIDs.count
        progress.doneTokenCount += tally.tokenCount
        progress.elapsed = ContinuousClock.now - start
        onProgress(progress)
    }

    /// Waits a little where others have chunks of the selection in work.
    ///
    /// - Returns: whether to look again.
    private func waitForOthers() throws(PipelineError) -> Bool {
        report.elsewhereCount = try library.countInWorkElsewhere(selection, model)
        guard report.elsewhereCount > 0, options.waitsForOthers else { return false }
        Pause.wait(.milliseconds(200))
        try library.recoverAbandoned()
        return true
    }
}
