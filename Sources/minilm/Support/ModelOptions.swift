import ArgumentParser
import EmbeddingEngine

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Which model, and how it runs.
struct ModelOptions: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "A model file made by `minilm convert`.",
            discussion:
                "Default: $MINILM_MODEL, else weights/all-MiniLM-L6-v2.safetensors here or above the program.",
            valueName: "file"))
    var model: String?

    @OptionGroup var compute: ComputeOptions

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

    private static var executablePath: String {
        guard let path = realpath("/proc/self/exe", nil) else { return "" }
        defer { free(path) }
        return String(cString: path)
    }
}

/// How a model runs.
struct ComputeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Threads that compute. Default: $MINILM_THREADS, else the processors this process may use.",
            valueName: "count"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            "Tokens of a batch. Default: $MINILM_MAX_BATCH_TOKENS, else 512.", valueName: "count"))
    var maxBatchTokens: Int?

    func validate() throws {
        if let threads, !(1...ComputeGroup.maximumThreadCount).contains(threads) {
            throw ValidationError(
                "--threads must be within 1 and \(ComputeGroup.maximumThreadCount).")
        }
        if let maxBatchTokens, !(1...1_000_000).contains(maxBatchTokens) {
            throw ValidationError("--max-batch-tokens must be within 1 and 1000000.")
        }
    }

    /// Opens a model to run as these options and the environment say.
    func embedder(model path: String) throws -> Embedder {
        var configuration = Embedder.Configuration()
        if let count = try threads
            ?? Environment.int(
                "MINILM_THREADS", 1...ComputeGroup.maximumThreadCount)
        {
            configuration.threadCount = count
        }
        if let count = try maxBatchTokens
            ?? Environment.int("MINILM_MAX_BATCH_TOKENS", 1...1_000_000)
        {
            configuration.batchTokenCount = count
        }
        return try Embedder(modelPath: path, configuration)
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
}
