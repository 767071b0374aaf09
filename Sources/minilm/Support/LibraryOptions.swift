import ArgumentParser
import EmbeddingEngine
import EmbeddingPipeline
import Logging
import Safetensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Which library.
struct LibraryOptions: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "The SQLite file of subjects, materials and vectors.",
            discussion:
                "Default: $MINILM_LIBRARY, else minilm/library.sqlite in $XDG_DATA_HOME or ~/.local/share.",
            valueName: "file"))
    var library: String?

    /// - Parameters:
    ///   - creates: whether a library is made where there is none.
    ///   - waitsLong: whether to wait half a minute for others, not only some seconds.
    func open(creates: Bool = false, waitsLong: Bool = false) throws -> Library {
        var options = Library.Options()
        if waitsLong { options.busyTimeout = .seconds(30) }
        options.isStopRequested = { Signals.isStopRequested }
        options.creates = creates
        let path = try path
        if creates, library == nil { try makeParentDirectory(path) }
        return try Library(path: path, options)
    }

    /// Opens a library to look at it; a file that may not be written will do.
    func openToRead() throws -> Library {
        var options = Library.Options()
        options.isReadOnly = true
        let location = try path
        do throws(PipelineError) {
            return try Library(path: location, options)
        } catch {
            // An older schema, or what an interrupted transaction left, has to be put right first.
            guard case .readOnly = error else { throw error }
            return try open()
        }
    }

    private var path: String {
        get throws(CommandFailure) {
            if let path = library ?? Environment.string("MINILM_LIBRARY") { return path }
            guard
                let data = Environment.string("XDG_DATA_HOME")
                    ?? Environment.string("HOME").map({ "\($0)/.local/share" })
            else {
                throw CommandFailure(.usage, "no $HOME: name the library with --library")
            }
            return "\(data)/minilm/library.sqlite"
        }
    }

    private func makeParentDirectory(_ path: String) throws {
        var made = ""
        for part in path.split(separator: "/").dropLast() {
            made += (made.isEmpty && !path.hasPrefix("/") ? "" : "/") + part
            guard mkdir(made, 0o755) == 0 || errno == EEXIST else {
                throw CommandFailure(
                    .cannotCreate, "\(made): \(String(cString: strerror(errno)))")
            }
        }
    }
}

extension ModelOptions {
    /// The engine as the pipeline uses it: an interrupted run ends with the same bits as another.
    func reproducibleEmbedder() throws -> Embedder {
        try compute.embedder(model: try Self.path(model), isReproducible: true)
    }

    /// What the model's vectors carry, without an engine.
    func identity() throws -> ModelIdentity {
        ModelIdentity(try EmbeddingModel(path: try Self.path(model)))
    }
}

/// What is logged on stderr.
struct LogOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What to log on stderr: trace, debug, info, notice, warning, error or critical. Default: $MINILM_LOG_LEVEL, else error.",
            valueName: "level"))
    var logLevel: LogLevel?

    /// - Parameters:
    ///   - defaultLevel: where neither the flag nor the environment says another.
    func logger(default defaultLevel: Logger.Level = .error) throws(CommandFailure) -> Logger {
        var logger = Logger(label: "minilm", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = try level ?? defaultLevel
        return logger
    }

    private var level: Logger.Level? {
        get throws(CommandFailure) {
            if let logLevel { return Logger.Level(rawValue: logLevel.rawValue) }
            guard let name = Environment.string("MINILM_LOG_LEVEL") else { return nil }
            guard let level = Logger.Level(rawValue: name) else {
                throw CommandFailure(
                    .usage, "$MINILM_LOG_LEVEL is \"\(name)\", which is no log level")
            }
            return level
        }
    }
}
