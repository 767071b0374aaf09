import ArgumentParser
import EmbeddingEngine
import EmbeddingPipeline
import Logging

struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Run the tasks that are due, until stopped.",
        discussion: """
            Several workers may share a library. What failed is tried again after ever
            longer waits; `minilm task list` shows it. Ctrl-C ends a worker in good
            order: what is done is stored, the rest is given back. One that is killed
            loses a batch at most, and the next worker goes on.
            """)

    @Flag(help: "End when no task is due any more.") var once = false
    @Option(help: ArgumentHelp("Tasks at once.", valueName: "count")) var concurrency = 1
    @Option(
        help: ArgumentHelp(
            "How often to look for new tasks while none is due.", valueName: "seconds"))
    var pollInterval = 1.0
    @Flag(inversion: .prefixedNo, help: "Make waits up to a quarter longer, at random.")
    var jitter = true
    @OptionGroup var library: LibraryOptions
    @OptionGroup var model: ModelOptions
    @OptionGroup var reading: ReadingOptions
    @OptionGroup var log: LogOptions

    func validate() throws {
        guard (1...64).contains(concurrency) else {
            throw ValidationError("--concurrency must be within 1 and 64.")
        }
        guard (0.01...3600).contains(pollInterval) else {
            throw ValidationError("--poll-interval must be within 0.01 and 3600 seconds.")
        }
    }

    mutating func run() throws {
        do {
            try work()
        } catch let error as PipelineError {
            // A signal ends a wait for the lock too, whatever the worker was about to do.
            guard case .busy = error, Signals.isStopRequested else { throw error }
        }
    }

    private func work() throws {
        ReadingOptions.warnOfMissingTools()
        ProcessMemory.keepFlat()
        let logger = try log.logger(default: .info)
        let library = try library.open(waitsLong: true)
        let engine = try model.reproducibleEmbedder()
        try model.compute.checkMemory(engine)
        let identity = ModelIdentity(engine.model)
        try checkGeneration(library, identity)
        let processor = ContentProcessor(library, EngineChunkEmbedder(engine), logger: logger)
        let runner = TaskRunner(processor, reading.processor(library, engine.model))
        var options = Worker.Options()
        options.concurrency = concurrency
        options.pollInterval = .seconds(pollInterval)
        options.runsOnce = once
        options.jitter = jitter ? .random : .none
        let worker = Worker(runner, options, logger: logger)
        logger.info("worker begins", metadata: ["library": "\(library.path)"])
        let report = try worker.run { Signals.isStopRequested }
        logger.info(
            "worker ends",
            metadata: [
                "succeeded": "\(report.succeededCount)", "failed": "\(report.failedCount)",
                "stopped": "\(report.stoppedCount)",
            ])
        if once, report.failedCount > 0 {
            throw CommandFailure(
                .someFailed, "\(report.failedCount.counted("task")) failed: see minilm task list")
        }
    }

    /// A worker does not change the model of a library: somebody must want that.
    private func checkGeneration(_ library: Library, _ model: ModelIdentity) throws {
        guard let target = try library.generation().target else {
            return try library.beginGeneration(model)
        }
        guard target == model.fingerprint else {
            throw CommandFailure(
                .dataError,
                "the library's vectors are made with model \(target.prefix(12)), not with \(model.fingerprint.prefix(12)); `minilm generate-missing-embeddings` changes to another"
            )
        }
    }
}
