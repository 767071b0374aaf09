import Transformer

/// Chooses how a model runs here: by the processor's features, what this process may use, and a timed
/// trial.
public enum Tuner {
    /// What was remembered for this model and machine, or else a short trial, which is remembered.
    ///
    /// The trial times one linear layer on each backend and takes some ten milliseconds.
    ///
    /// - Parameter cache: where results are kept; nil for nowhere.
    public static func tuning(
        _ model: EmbeddingModel, cache: TuningCache? = TuningCache.standard
    ) -> Tuning {
        let key = TuningCache.key(model)
        if let tuning = cache?.tuning(key), tuning.backend.isInstalled { return tuning }
        let tuning = trial(model)
        // Where there was no choice there may be one later.
        if !tuning.rates.isEmpty { cache?.remember(tuning, key) }
        return tuning
    }

    /// Times both backends on a layer of the model, on one thread; nothing where only one can run.
    public static func trial(_ model: EmbeddingModel) -> Tuning {
        // Room comes first: to load a library takes some too.
        let backends = Backend.allCases.filter {
            AddressSpace.hasRoom(for: AddressSpace.byteCountPerWorker($0)) && $0.isInstalled
        }
        let rates =
            backends.count > 1 ? model.encoder.layerRates(backends, tokens: 96, turns: 5) : [:]
        let backend = fastest(rates, margin: ProcessorFeatures.hasAVX2 ? 1.5 : 1.1)
        return Tuning(
            backend: backend, threadCount: ProcessorCount.available,
            batchTokenCount: backend.standardBatchTokenCount, basis: .trial, rates: rates)
    }

    /// The fastest backend.
    ///
    /// `simd` computes one text on several threads, gives a text the same bits in any batch without
    /// padding, and keeps no weights of its own; and a choice must not hang on what else the machine
    /// does just now.
    ///
    /// - Parameter margin: how many times faster `openblas` must be.
    public static func fastest(_ rates: [Backend: Double], margin: Double) -> Backend {
        let (simd, openblas) = (rates[.simd] ?? 0, rates[.openblas] ?? 0)
        return openblas > margin * simd ? .openblas : .simd
    }
}
