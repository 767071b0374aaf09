import ArgumentParser
import EmbeddingEngine
import Transformer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Which model.
struct ModelPathOption: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "A model file made by `minilm convert`.",
            discussion:
                "Default: $MINILM_MODEL, else weights/all-MiniLM-L6-v2.safetensors here or above the program.",
            valueName: "file"))
    var model: String?
}

/// Which model, and how it runs.
struct ModelOptions: ParsableArguments {
    @OptionGroup var path: ModelPathOption
    @OptionGroup var compute: ComputeOptions

    var model: String? { path.model }

    func embedder() throws -> Embedder {
        try compute.embedder(model: try Self.path(model))
    }

    /// For commands that take the model as an argument too.
    func checkBeside(_ argument: String?) throws {
        if argument != nil, model != nil {
            throw ValidationError("Name the model once: as an argument or with --model.")
        }
    }

    /// The model's path: as given, or the first default that exists.
    static func path(_ given: String?) throws(CommandFailure) -> String {
        if let path = given ?? Environment.string("MINILM_MODEL") { return path }
        let name = "weights/all-MiniLM-L6-v2.safetensors"
        var candidates = [name]
        var directory = executablePath
        while let slash = directory.lastIndex(of: "/") {
            directory = String(directory[..<slash])
            candidates.append("\(directory)/\(name)")
        }
        if let path = candidates.first(where: { access($0, R_OK) == 0 }) { return path }
        throw CommandFailure(
            .noInput,
            "no model at \(name); name one with --model, or make it with: tools/setup.sh")
    }

    /// The program's own path.
    static var executablePath: String {
        guard let path = realpath("/proc/self/exe", nil) else { return "" }
        defer { free(path) }
        return String(cString: path)
    }
}

/// How a model runs.
struct ComputeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Threads that compute. Default: $MINILM_THREADS, else what `minilm tune` found, else the processors this process may use.",
            valueName: "count"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            "Tokens of a batch. Default: $MINILM_MAX_BATCH_TOKENS, else what `minilm tune` found, else 128 with simd and 512 with openblas.",
            valueName: "count"))
    var maxBatchTokens: Int?

    @Option(
        help: ArgumentHelp(
            "The ceiling of the resident memory: bytes, or with MB, MiB, GB, GiB. Default: $MINILM_MAX_MEMORY, else half of what the machine or the cgroup has available.",
            valueName: "size"))
    var maxMemory: ByteSize?

    @Option(
        help: ArgumentHelp(
            "The share of the ceiling over which batches shrink. Default: $MINILM_MEMORY_THRESHOLD, else 0.8.",
            valueName: "share"))
    var memoryThreshold: Double?

    @Option(
        help: ArgumentHelp(
            "Memory for the vectors of texts that come again. Default: $MINILM_CACHE_BYTES, else 0: none are kept.",
            valueName: "size"))
    var cacheBytes: ByteSize?

    @Option(
        help: ArgumentHelp(
            "What computes: simd (the kernels of this program), openblas, or auto. Default: $MINILM_BACKEND, else auto, which takes what a short trial on this processor found faster.",
            valueName: "name"))
    var backend: Backend?

    enum Backend: String, ExpressibleByArgument, CaseIterable {
        case auto, openblas, simd
    }

    func validate() throws {
        if let memoryThreshold, !(0.1...1).contains(memoryThreshold) {
            throw ValidationError("--memory-threshold must be within 0.1 and 1.")
        }
        if let threads, !(1...Embedder.Configuration.maximumThreadCount).contains(threads) {
            throw ValidationError(
                "--threads must be within 1 and \(Embedder.Configuration.maximumThreadCount).")
        }
        if let maxBatchTokens, !(1...1_000_000).contains(maxBatchTokens) {
            throw ValidationError("--max-batch-tokens must be within 1 and 1000000.")
        }
    }

    /// Opens a model to run as these options and the environment say.
    ///
    /// - Parameters:
    ///   - isReproducible: whether a text must have the same bits in all processes, as a library's
    ///     texts do: then no trial chooses the backend, whose result could differ from theirs.
    func embedder(
        model path: String, isReproducible: Bool = false
    ) throws -> Embedder {
        var configuration = Embedder.Configuration()
        var model = try EmbeddingModel(path: path, isNeededSoon: true)
        if let backend = try chosenBackend() {
            model = model.on(backend)
            configuration.batchTokenCount = backend.standardBatchTokenCount
        } else {
            var tuning = Tuner.tuning(model)
            if isReproducible, tuning.backend != .simd {
                tuning.backend = .simd
                tuning.batchTokenCount = Transformer.Backend.simd.standardBatchTokenCount
            }
            model = model.on(tuning.backend)
            configuration.threadCount = tuning.threadCount
            configuration.batchTokenCount = tuning.batchTokenCount
            configuration.tuning = tuning
        }
        if let count = try threads
            ?? Environment.int(
                "MINILM_THREADS", 1...Embedder.Configuration.maximumThreadCount)
        {
            configuration.threadCount = count
        }
        if let count = try maxBatchTokens
            ?? Environment.int("MINILM_MAX_BATCH_TOKENS", 1...1_000_000)
        {
            configuration.batchTokenCount = count
        }
        configuration.memory.ceiling =
            try maxMemory?.byteCount ?? Environment.size("MINILM_MAX_MEMORY")
        configuration.cacheByteCount =
            try cacheBytes?.byteCount ?? Environment.size("MINILM_CACHE_BYTES") ?? 0
        if let share = try memoryThreshold
            ?? Environment.double("MINILM_MEMORY_THRESHOLD", 0.1...1)
        {
            configuration.memory.threshold = share
        }
        configuration.isReproducible = isReproducible
        return Embedder(model, configuration)
    }

    /// The backend that a person named; nil for automatic.
    func chosenBackend() throws(CommandFailure) -> Transformer.Backend? {
        let name = backend?.rawValue ?? Environment.string("MINILM_BACKEND") ?? "auto"
        guard let choice = Backend(rawValue: name) else {
            throw CommandFailure(
                .usage, "$MINILM_BACKEND is \"\(name)\", expected auto, simd or openblas")
        }
        let backend = Transformer.Backend(rawValue: choice.rawValue)
        guard backend?.isInstalled ?? true else {
            throw CommandFailure(
                .usage, "OpenBLAS is not installed; as root: apt-get install libopenblas0")
        }
        return backend
    }

    /// - Throws: `CommandFailure` when the ceiling has no room for the model and one text.
    func checkMemory(_ embedder: Embedder) throws(CommandFailure) {
        guard embedder.configuration.memory.ceiling != nil else { return }
        let window = embedder.model.settings.maximumTokenCount
        let plan = embedder.plan(lengths: [window], byteCount: 1 << 20)
        guard !plan.fits else { return }
        throw CommandFailure(
            .usage,
            "a memory ceiling of \(plan.ceiling) bytes is too low: this model needs \(plan.peakByteCount) for one text"
        )
    }
}

/// Settings from environment variables, the twins of flags.
enum Environment {
    static func string(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    static func int(_ name: String, _ range: ClosedRange<Int>) throws(CommandFailure) -> Int? {
        guard let text = string(name) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw CommandFailure(
                .usage,
                "$\(name) is \"\(text)\", expected a number within \(range.lowerBound) and \(range.upperBound)"
            )
        }
        return value
    }

    static func double(
        _ name: String, _ range: ClosedRange<Double>
    ) throws(CommandFailure) -> Double? {
        guard let text = string(name) else { return nil }
        guard let value = Double(text), range.contains(value) else {
            throw CommandFailure(
                .usage,
                "$\(name) is \"\(text)\", expected a number within \(range.lowerBound) and \(range.upperBound)"
            )
        }
        return value
    }

    static func size(_ name: String) throws(CommandFailure) -> Int? {
        guard let text = string(name) else { return nil }
        guard let size = ByteSize(argument: text) else {
            throw CommandFailure(
                .usage, "$\(name) is \"\(text)\", expected bytes such as 500000000, 500MB or 1GiB")
        }
        return size.byteCount
    }
}
