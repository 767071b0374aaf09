import ArgumentParser
import EmbeddingServer
import Logging
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

enum LogLevel: String, ExpressibleByArgument, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve embeddings over stdin and stdout: JSON-RPC 2.0, a line each.",
        discussion: """
            Methods: embed {input, encoding_format, normalize, truncate,
            truncation_direction}, info, shutdown. Type this to try it:
              {"id":1,"method":"embed","params":{"input":"A text"}}

            stdout carries answers and nothing else; logs go to stderr. The end of the
            input ends the server.
            """)

    @OptionGroup var model: ModelOptions

    @Option(
        help: ArgumentHelp(
            "The longest line. Default: $MINILM_MAX_LINE_BYTES, else 67108864.", valueName: "bytes")
    )
    var maxLineBytes: Int?

    @Option(
        help: ArgumentHelp(
            "The most texts of a request. Default: $MINILM_MAX_CLIENT_BATCH_SIZE, else 100000.",
            valueName: "count"))
    var maxClientBatchSize: Int?

    @Option(
        help: ArgumentHelp(
            "What to log on stderr: trace, debug, info, notice, warning, error or critical.",
            valueName: "level"))
    var logLevel = LogLevel.error

    func validate() throws {
        if let maxLineBytes, maxLineBytes < 1 {
            throw ValidationError("--max-line-bytes must be at least 1.")
        }
        if let maxClientBatchSize, maxClientBatchSize < 1 {
            throw ValidationError("--max-client-batch-size must be at least 1.")
        }
    }

    mutating func run() throws {
        Signals.ignorePipeSignal()
        let output = try takeStandardOutput()
        var logger = Logger(label: "minilm", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = Logger.Level(rawValue: logLevel.rawValue) ?? .error
        var limits = Server.Limits()
        limits.lineByteCount =
            try maxLineBytes ?? Environment.int("MINILM_MAX_LINE_BYTES", 1...Int.max)
            ?? limits.lineByteCount
        limits.textCount =
            try maxClientBatchSize
            ?? Environment.int("MINILM_MAX_CLIENT_BATCH_SIZE", 1...Int.max) ?? limits.textCount
        var server = Server(
            try model.embedder(), input: .standardInput, output: output, limits: limits,
            logger: logger, interruption: Signals.stopRequests,
            isStopping: { Signals.isStopRequested })
        let end = try server.run()
        logger.info("ended", metadata: ["reason": "\(end)"])
    }

    /// The descriptor of the answers. From here on descriptor 1 leads to stderr, so that nothing
    /// that a library prints can get between the answers.
    private func takeStandardOutput() throws(CommandFailure) -> FileDescriptor {
        let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        guard output >= 0, dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 else {
            throw CommandFailure(.ioError, "standard output: \(Errno(rawValue: errno).description)")
        }
        return FileDescriptor(rawValue: output)
    }
}
