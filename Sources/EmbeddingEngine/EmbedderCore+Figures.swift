import Transformer

// What a caller may ask about.
extension EmbedderCore {
    /// Measures what batches cost as soon as nothing is in work, unless that was done.
    func calibrateWhenIdle() {
        state.withLock { state in
            guard state.calibration == .none else { return }
            // What the library allocates beside a workspace shows in its first product only.
            state.calibration = model.encoder.backend == .openblas ? .wanted : .wantedWhenIdle
        }
        state.notifyAll()
    }

    var costModel: CostModel {
        state.withLock { state in
            switch state.calibration {
            case .none, .wantedWhenIdle: state.calibration = .wanted
            case .wanted, .running, .done: break
            }
        }
        state.notifyAll()
        return state.wait { $0.calibration == .done || $0.workerCount == 0 ? $0.cost : nil }!
    }

    var memoryCeiling: Int {
        state.withLock { state in
            state.memory.refresh(now: .now)
            return state.memory.ceiling
        }
    }

    var spareByteCount: Int {
        let cost = costModel
        let tokens = max(configuration.batchTokenCount, model.settings.maximumTokenCount)
        let workspace = cost.workspaceByteCount(
            tokens: tokens, longest: model.settings.maximumTokenCount)
        let own =
            cost.baseByteCount + configuration.cacheByteCount
            + configuration.threadCount * (cost.workerByteCount + workspace)
        return Int(configuration.memory.threshold * Double(memoryCeiling)) - own
    }

    func predict(lengths: [Int], byteCount: Int) -> BatchPrediction {
        let cost = costModel
        return BatchPrediction(
            lengths: lengths, byteCount: byteCount + configuration.cacheByteCount, cost,
            batchTokenCount: configuration.batchTokenCount,
            workerCount: configuration.threadCount, ceiling: memoryCeiling)
    }

    var statistics: EmbedderStatistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.sharedTextCount = state.scheduler.sharedTextCount
            statistics.cacheHitCount = state.cache.hitCount
            statistics.cacheMissCount = state.cache.missCount
            statistics.cacheByteCount = state.cache.byteCount
            statistics.jobCount = state.scheduler.jobCount
            statistics.waitingTextCount = state.scheduler.waitingTextCount
            statistics.waitingTokenCount = state.scheduler.waitingTokenCount
            statistics.busyWorkerCount = state.isBusy.count { $0 }
            return statistics
        }
    }
}
