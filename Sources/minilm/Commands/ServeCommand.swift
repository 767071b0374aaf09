import ArgumentParser
import EmbeddingEngine
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
            Methods: initialize, embed, tokenize, count, plan, info, stats,
            $/cancelRequest, shutdown; `minilm manifest` prints their JSON Schemas. Type
            this to try it:
              {"id":1,"method":"embed","params":{"input":"A text"}}

            Answers come as they are ready, matched by id. stdout carries them and
            nothing else; logs go to stderr. The end of the input ends the server, once
            all is answered; so does SIGTERM, and a second one ends it at once.
            """)

    @OptionGroup var model: ModelOptions

    @Option(
        help: ArgumentHelp(
            "The longest line. Default: $MINILM_MAX_LINE_BYTES, else 67108864, or less under a small memory ceiling.",
            valueName: "bytes"))
    var maxLineBytes: Int?

    @Option(
        help: ArgumentHelp(
            "The most texts of a request. Default: $MINILM_MAX_CLIENT_BATCH_SIZE, else 100000.",
            valueName: "count"))
    var maxClientBatchSize: Int?

    @Option(
        help: ArgumentHelp(
            "The most requests in work; more are answered with the error -32001. Default: $MINILM_MAX_CONCURRENT_REQUESTS, else no limit: reading waits while memory is short.",
            valueName: "count"))
    var maxConcurrentRequests: Int?

    @Option(
        help: ArgumentHelp(
            "A file for metrics in Prometheus' text format, replaced every 10 seconds and at the end. Default: $MINILM_METRICS_FILE, else none.",
            valueName: "file"))
    var metricsFile: String?

    @OptionGroup var log: LogOptions

    func validate() throws {
        for (name, value) in [
            ("--max-line-bytes", maxLineBytes), ("--max-client-batch-size", maxClientBatchSize),
            ("--max-concurrent-requests", maxConcurrentRequests),
        ] {
            if let value, value < 1 { throw ValidationError("\(name) must be at least 1.") }
        }
    }

    mutating func run() throws {
        ProcessMemory.keepFlat()
        Signals.ignorePipeSignal()
        let output = try takeStandardOutput()
        let logger = try log.logger()
        let embedder = try model.embedder()
        try model.compute.checkMemory(embedder)
        let server = Server(
            embedder, input: .standardInput, output: output, limits: try limits(),
            logger: logger, interruption: Signals.stopRequests,
            isStopping: { Signals.isStopRequested })
        let metrics = try startMetrics(server, logger)
        let end = try server.run()
        logger.info("ended", metadata: ["reason": "\(end)"])
        metrics?.finish()
        do { try metrics?.write() } catch {
            logger.error("metrics", metadata: ["reason": "\(error)"])
        }
    }

    private func limits() throws -> Server.Limits {
        var limits = Server.Limits()
        limits.lineByteCount =
            try maxLineBytes ?? Environment.int("MINILM_MAX_LINE_BYTES", 1...Int.max)
            ?? limits.lineByteCount
        limits.textCount =
            try maxClientBatchSize
            ?? Environment.int("MINILM_MAX_CLIENT_BATCH_SIZE", 1...Int.max) ?? limits.textCount
        limits.concurrentRequestCount =
            try maxConcurrentRequests
            ?? Environment.int("MINILM_MAX_CONCURRENT_REQUESTS", 1...Int.max)
        return limits
    }

    private func startMetrics(_ server: Server, _ logger: Logger) throws -> MetricsFile? {
        guard let path = metricsFile ?? Environment.string("MINILM_METRICS_FILE") else {
            return nil
        }
        let file = MetricsFile(path: path, metrics: server.metrics)
        // A path that cannot be written is better known at the start.
        try file.write()
        file.start(interval: .seconds(10)) { error in
            logger.error("metrics", metadata: ["reason": "\(error)"])
        }
        return file
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
