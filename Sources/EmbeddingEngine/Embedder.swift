import Safetensors
import Synchronization
import Tokenization
import Transformer

/// Embeds texts: tokenizes, packs batches, computes on all threads, and puts the vectors back in
/// order.
public final class Embedder: Sendable {
    public let model: EmbeddingModel
    public let configuration: Configuration
    private let group: ComputeGroup
    private let workers: [Worker]

    public struct Configuration: Sendable, Equatable {
        /// Threads that compute.
        public var threadCount: Int
        /// The tokens of a batch; a longer single text is a batch of its own.
        public var batchTokenCount: Int

        public init(
            threadCount: Int = ProcessorCount.available, batchTokenCount: Int = 512
        ) {
            self.threadCount = threadCount
            self.batchTokenCount = batchTokenCount
        }
    }

    /// What a caller may choose a request.
    public struct Request: Sendable, Equatable {
        /// The tokens that a text is cut to, special tokens included; nil for the model's own
        /// limit.
        public var maximumTokenCount: Int?
        public var truncationDirection = Truncation.Direction.right
        /// Whether a text that is too long is cut; otherwise it is an error.
        public var truncates = true
        /// Whether vectors are scaled to unit length; nil for what the model does.
        public var normalize: Bool?

        public init() {}
    }

    /// One thread's memory.
    private final class Worker: @unchecked Sendable {  // used by one thread of the group at a time
        let workspace = EncoderWorkspace()
        var output: [Float] = []
    }

    public init(_ model: EmbeddingModel, _ configuration: Configuration = Configuration()) {
        self.model = model
        self.configuration = configuration
        group = ComputeGroup(threadCount: configuration.threadCount)
        workers = (0..<group.threadCount).map { _ in Worker() }
    }

    /// Opens a converted model.
    ///
    /// - Throws: `ModelError`.
    public convenience init(
        modelPath: String, _ configuration: Configuration = Configuration()
    ) throws(ModelError) {
        self.init(try EmbeddingModel(path: modelPath), configuration)
    }

    /// Hears of each batch as it is done, on any thread of the group; false stops the work.
    public typealias BatchObserver = @Sendable (_ textCount: Int, _ tokenCount: Int) -> Bool

    /// The vectors of texts, in their order. A text's vector does not depend on its neighbours.
    ///
    /// - Throws: `EmbeddingError`; `cancelled` when `onBatch` returned false.
    public func embed(
        _ texts: [String], _ request: Request = Request(), onBatch: BatchObserver? = nil
    ) throws(EmbeddingError) -> Embeddings {
        let limit = try window(request)
        try checkModelFile()
        let encodings = tokenize(
            texts, Truncation(maximumTokenCount: limit, direction: request.truncationDirection))
        if !request.truncates,
            let index = encodings.firstIndex(where: { $0.droppedTokenCount > 0 })
        {
            let count = encodings[index].ids.count + encodings[index].droppedTokenCount
            throw .textTooLong(index: index, tokenCount: count, limit: limit)
        }
        return Embeddings(
            vectors: try compute(
                encodings, normalize: request.normalize ?? model.settings.normalize, onBatch),
            dimension: model.dimension, tokenCounts: encodings.map(\.ids.count),
            droppedTokenCounts: encodings.map(\.droppedTokenCount))
    }

    /// The tokens that a request's texts are cut to.
    private func window(_ request: Request) throws(EmbeddingError) -> Int {
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

    private func tokenize(_ texts: [String], _ truncation: Truncation) -> [Encoding] {
        let blockSize = 32
        let blocks = Mutex([Int: [Encoding]]())
        group.run(count: (texts.count + blockSize - 1) / blockSize) { _, block in
            let range = block * blockSize..<min((block + 1) * blockSize, texts.count)
            let encodings = texts[range].map {
                model.tokenizer.encodeIDs($0, truncation: truncation)
            }
            blocks.withLock { $0[block] = encodings }
        }
        return blocks.withLock { blocks in
            blocks.keys.sorted().flatMap { blocks[$0] ?? [] }
        }
    }

    private func compute(
        _ encodings: [Encoding], normalize: Bool, _ onBatch: BatchObserver?
    ) throws(EmbeddingError) -> [Float] {
        let batches = BatchPlanner.batches(
            lengths: encodings.map(\.ids.count), tokenBudget: configuration.batchTokenCount)
        let width = model.dimension
        let failure = Mutex<EmbeddingError?>(nil)
        let vectors = [Float](unsafeUninitializedCapacity: encodings.count * width) { out, count in
            // Batches write to rows that no other batch has.
            nonisolated(unsafe) let rows = out.baseAddress
            group.run(count: batches.count) { worker, index in
                guard let rows, failure.withLock({ $0 == nil }) else { return }
                do throws(EmbeddingError) {
                    let batch = batches[index]
                    try self.compute(batch, encodings, normalize, workers[worker], rows)
                    guard let onBatch else { return }
                    let tokens = batch.reduce(0) { $0 + encodings[$1].ids.count }
                    if !onBatch(batch.count, tokens) { throw EmbeddingError.cancelled }
                } catch {
                    failure.withLock { $0 = $0 ?? error }
                }
            }
            let isComplete = failure.withLock { $0 == nil }
            count = isComplete ? encodings.count * width : 0
        }
        if let error = failure.withLock({ $0 }) { throw error }
        return vectors
    }

    private func compute(
        _ batch: [Int], _ encodings: [Encoding], _ normalize: Bool, _ worker: Worker,
        _ rows: UnsafeMutablePointer<Float>
    ) throws(EmbeddingError) {
        let width = model.dimension
        var packed = PackedBatch()
        for index in batch { packed.append(encodings[index].ids) }
        if worker.output.count < batch.count * width {
            worker.output = [Float](repeating: 0, count: batch.count * width)
        }
        let result = worker.output.withUnsafeMutableBufferPointer { output in
            Result { () throws(TransformerError) in
                try model.encoder.forward(
                    packed, workspace: worker.workspace, normalize: normalize,
                    into: UnsafeMutableBufferPointer(rebasing: output[..<(batch.count * width)]))
            }
        }
        do throws(TransformerError) { try result.get() } catch {
            if case .nonFiniteOutput(let sequence) = error {
                throw .model(.nonFiniteOutput(sequence: batch[sequence]))
            }
            throw .model(error)
        }
        worker.output.withUnsafeBufferPointer { output in
            guard let base = output.baseAddress else { return }
            for (n, index) in batch.enumerated() {
                (rows + index * width).update(from: base + n * width, count: width)
            }
        }
    }
}
