import EmbeddingEngine
import GRDB
import Logging

/// Gives chunks their embeddings: hands them to the engine in batches that fit the memory, and
/// stores each batch in one transaction.
///
/// While one half of a batch is stored, the engine computes the other, so that it never waits for
/// the disk; no more than a batch is in work and unstored at any time.
public struct ContentProcessor: Sendable {
    let library: Library
    let embedder: any ChunkEmbedder
    let memory: any MemoryReading
    let gate: ProcessGate
    let logger: Logger

    /// How chunks are worked on.
    public struct Options: Sendable {
        /// Chunks that are in work at once; nil for as many as the memory allows.
        public var batchSize: Int?
        /// The share of memory in use over which chunks go in batches, however few they are.
        public var memoryThreshold = 0.8
        /// Whether to wait for chunks that others have in work.
        public var waitsForOthers = false
        /// Whether search changes to a new model although chunks have failed with it.
        public var acceptsFailures = false

        public init() {}
    }

    /// - Parameters:
    ///   - gate: shared by all processors of a process.
    public init(
        _ library: Library, _ embedder: any ChunkEmbedder,
        memory: any MemoryReading = SystemMemory(), gate: ProcessGate = ProcessGate(),
        logger: Logger = Logger(label: "minilm", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.library = library
        self.embedder = embedder
        self.memory = memory
        self.gate = gate
        self.logger = logger
    }

    public typealias ProgressObserver = @Sendable (ProcessingProgress) -> Void

    /// Embeds the chunks of a selection that are in need: at once when they are few and memory is
    /// free, otherwise in batches.
    ///
    /// - Parameters:
    ///   - lease: the task that this is done for.
    ///   - isStopRequested: asked between and in batches.
    /// - Throws: `PipelineError`: the library or the engine cannot go on. What was not stored is
    ///   given back.
    public func processChunks(
        _ selection: ChunkSelection, _ options: Options = Options(), lease: TaskLease? = nil,
        isStopRequested: @escaping @Sendable () -> Bool = { false },
        onProgress: @escaping ProgressObserver = { _ in }
    ) throws(PipelineError) -> ProcessingReport {
        try library.recoverAbandoned()
        let need = try library.need(selection, embedder.model)
        let state = memory.state()
        let mode = BatchDecision.mode(
            chunkCount: need.chunkCount, state, threshold: options.memoryThreshold)
        logger.info(
            "processing chunks",
            metadata: [
                "chunks": "\(need.chunkCount)", "mode": "\(mode.rawValue)",
                "memory": "\(state.percentage)",
            ])
        let run = ProcessingRun(
            self, selection, options, lease, need, isStopRequested: isStopRequested,
            onProgress: onProgress)
        switch mode {
        case .immediately: try processChunksImmediately(run)
        case .inBatches: try processChunksInBatches(run)
        }
        try library.completeGeneration(
            embedder.model, acceptsFailures: options.acceptsFailures)
        return run.report
    }

    /// All in work at once, or as many as were asked for.
    private func processChunksImmediately(_ run: ProcessingRun) throws(PipelineError) {
        let size = run.options.batchSize ?? BatchDecision.manyChunks
        try run.process { _ in size }
    }

    /// In batches of the size that was set, or that memory allows as it is before each.
    private func processChunksInBatches(_ run: ProcessingRun) throws(PipelineError) {
        let size = run.options.batchSize
        try run.process { state in size ?? BatchDecision.automaticSize(state) }
    }
}

extension MemoryState {
    /// For the log.
    var percentage: String { "\(Int((usedShare * 100).rounded())) %" }
}
