import Kernels
import Safetensors
import Synchronization
import Tokenization
import Transformer

/// Embeds texts: tokenizes, packs batches of the texts of all callers, computes on all threads, and
/// keeps to a ceiling of memory.
public final class Embedder: Sendable {
    /// The model that computes.
    public let model: EmbeddingModel
    /// How it runs, brought within what is possible.
    public let configuration: Configuration
    private let core: EmbedderCore

    /// Threads, batches and memory.
    public struct Configuration: Sendable, Equatable {
        /// Threads that compute.
        public var threadCount: Int
        /// The tokens of a batch; a longer single text is a batch of its own.
        public var batchTokenCount: Int
        /// The ceiling of memory.
        public var memory = MemoryBudget()
        /// Bytes of vectors that are kept for texts that come again.
        public var cacheByteCount = 0
        /// Whether a text's vector has the same bits alone, in any batch and on any number of
        /// threads of a machine. The `simd` backend always computes so; with `openblas` the last bits
        /// depend on the neighbours otherwise, by less than 1e-6, and it costs some padding.
        public var isReproducible = false
        /// What chose the backend and, where nobody else did, threads and batches.
        public var tuning: Tuning?

        /// What a BLAS library built for 64 processors has memory for; it crashes with many more
        /// threads.
        public static let maximumThreadCount = 64

        /// - Parameter batchTokenCount: see ``Backend/standardBatchTokenCount``.
        public init(
            threadCount: Int = ProcessorCount.available,
            batchTokenCount: Int = Backend.simd.standardBatchTokenCount
        ) {
            self.threadCount = min(max(1, threadCount), Self.maximumThreadCount)
            self.batchTokenCount = batchTokenCount
        }
    }

    /// What a caller may choose a request.
    public struct Request: Sendable, Equatable {
        /// The tokens that a text is cut to, special tokens included; nil for the model's own
        /// limit.
        public var maximumTokenCount: Int?
        /// The end that is cut off a text that is too long.
        public var truncationDirection = Truncation.Direction.right
        /// Whether a text that is too long is cut; otherwise it is an error.
        public var truncates = true
        /// Whether vectors are scaled to unit length; nil for what the model does.
        public var normalize: Bool?
        /// The elements of a vector that are kept, from its start, before it is normalized; nil for
        /// all.
        public var dimension: Int?

        public init() {}
    }

    public init(_ model: EmbeddingModel, _ configuration: Configuration = Configuration()) {
        var configuration = configuration
        configuration.threadCount = min(
            max(1, configuration.threadCount), Configuration.maximumThreadCount)
        configuration.batchTokenCount = max(1, configuration.batchTokenCount)
        self.model = model
        self.configuration = configuration
        core = EmbedderCore(model, configuration)
        core.start()
    }

    /// Opens a converted model, to be computed by the `simd` backend. ``Tuner`` finds out what is
    /// fastest; `EmbeddingModel.on(_:)` takes another backend.
    ///
    /// - Throws: `ModelError`.
    public convenience init(
        modelPath: String, _ configuration: Configuration = Configuration()
    ) throws(ModelError) {
        self.init(try EmbeddingModel(path: modelPath, isNeededSoon: true), configuration)
    }

    deinit { core.stop() }

    /// Names a job that was submitted.
    public struct JobID: Hashable, Sendable { let id: BatchScheduler.JobID }

    /// Takes a job in and returns at once; the receiver hears of the results.
    ///
    /// - Throws: `EmbeddingError`: a window or a dimension that the model does not have, a changed
    ///   file, or memory that the job would need and can never have.
    public func submit(
        _ job: EmbeddingJob, _ receiver: any EmbeddingJobReceiver
    ) throws(EmbeddingError) -> JobID {
        let window = try window(job.request)
        if let dimension = job.request.dimension, !(1...model.dimension).contains(dimension) {
            throw .dimensionOutOfRange(dimension, largest: model.dimension)
        }
        try checkModelFile()
        return JobID(id: try core.submit(job, window: window, receiver))
    }

    /// Ends a job early; its receiver hears `cancelled`, unless it has heard of another end.
    public func cancel(_ job: JobID) { core.cancel(job.id) }

    /// What the embedder did so far, and does now.
    public var statistics: EmbedderStatistics { core.statistics }

    /// Measures what batches cost, in the background when nothing is in work, and brings the model into
    /// memory. Otherwise that is done when it is first asked for.
    public func warmUp() { core.calibrateWhenIdle() }

    /// What batches cost, as measured.
    public var costModel: CostModel { core.costModel }

    /// The ceiling of the resident set now, in bytes.
    public var memoryCeiling: Int { core.memoryCeiling }

    /// What requests may take beside the engine's own memory before batches would shrink, in bytes.
    public var spareByteCount: Int { core.spareByteCount }

    /// Gives back what can be spared until the next batch: workspaces and the allocator's caches.
    public func releaseMemory() { core.releaseMemory() }

    /// What the process would hold at most while texts of these lengths are computed, in bytes:
    /// what it holds anyway, and the batches of all workers.
    ///
    /// - Parameters:
    ///   - lengths: tokens of each text.
    ///   - byteCount: what the caller keeps for the texts beside.
    public func plan(lengths: [Int], byteCount: Int) -> BatchPrediction {
        core.predict(lengths: lengths, byteCount: byteCount)
    }

    /// Hears of each batch as it is done, on any thread; false stops the work.
    public typealias BatchObserver = @Sendable (_ textCount: Int, _ tokenCount: Int) -> Bool

    /// The vectors of texts, in their order. A text's vector does not depend on its neighbours.
    ///
    /// - Throws: `EmbeddingError`; `cancelled` when `onBatch` returned false.
    public func embed(
        _ texts: [String], _ request: Request = Request(), onBatch: BatchObserver? = nil
    ) throws(EmbeddingError) -> Embeddings {
        let collector = VectorCollector(
            count: texts.count, dimension: request.dimension ?? model.dimension, onBatch: onBatch)
        let job = try submit(EmbeddingJob(texts, request), collector)
        return try collector.wait { self.cancel(job) }
    }

    /// The tokens that a request's texts are cut to.
    ///
    /// - Throws: `EmbeddingError.maximumTokenCountOutOfRange`.
    public func window(_ request: Request) throws(EmbeddingError) -> Int {
        let limit = request.maximumTokenCount ?? model.settings.maximumTokenCount
        let largest = model.settings.configuration.maximumPositionCount
        guard (2...largest).contains(limit) else {
            throw .maximumTokenCountOutOfRange(limit, largest: largest)
        }
        return limit
    }

    private func checkModelFile() throws(EmbeddingError) {
        do throws(FileError) { try model.file.file.checkUnchanged() } catch { throw .file(error) }
    }
}
