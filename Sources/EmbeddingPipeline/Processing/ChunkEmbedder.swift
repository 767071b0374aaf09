import EmbeddingEngine
import Synchronization

/// What makes vectors of chunks, so that tests can put something in its place.
public protocol ChunkEmbedder: Sendable {
    var model: ModelIdentity { get }

    /// Takes texts in and returns at once.
    ///
    /// - Parameters:
    ///   - completion: called once, on any thread, with a result a text.
    func embed(
        _ texts: [String],
        completion: @escaping @Sendable ([Result<[Float], EmbeddingError>]) -> Void
    ) -> EmbeddingHandle

    /// Gives back what memory can be spared.
    func releaseMemory()
}

/// Ends an embedding early.
public struct EmbeddingHandle: Sendable {
    public var cancel: @Sendable () -> Void
    public init(cancel: @escaping @Sendable () -> Void) { self.cancel = cancel }
}

/// The engine, for chunks. None is cut: one that is longer than the window is an error.
public struct EngineChunkEmbedder: ChunkEmbedder {
    public let engine: Embedder
    public let model: ModelIdentity

    public init(_ engine: Embedder) {
        self.engine = engine
        model = ModelIdentity(engine.model)
    }

    public func embed(
        _ texts: [String],
        completion: @escaping @Sendable ([Result<[Float], EmbeddingError>]) -> Void
    ) -> EmbeddingHandle {
        FaultInjection.abortIfPoisonous(texts)
        var request = Embedder.Request()
        request.truncates = false
        let receiver = Receiver(count: texts.count, completion)
        do throws(EmbeddingError) {
            let job = try engine.submit(EmbeddingJob(texts, request), receiver)
            return EmbeddingHandle { engine.cancel(job) }
        } catch {
            completion(texts.map { _ in .failure(error) })
            return EmbeddingHandle {}
        }
    }

    public func releaseMemory() { engine.releaseMemory() }

    private final class Receiver: EmbeddingJobReceiver {
        private let results: Mutex<[Result<[Float], EmbeddingError>]>
        private let completion: @Sendable ([Result<[Float], EmbeddingError>]) -> Void

        init(
            count: Int,
            _ completion: @escaping @Sendable ([Result<[Float], EmbeddingError>]) -> Void
        ) {
            results = Mutex(.init(repeating: .failure(.cancelled), count: count))
            self.completion = completion
        }

        func begin() {}

        func receive(_ new: [EmbeddingJob.TextResult]) {
            results.withLock { results in
                for result in new {
                    switch result.value {
                    case .vector(let vector, _, _): results[result.index] = .success(Array(vector))
                    case .failure(let error): results[result.index] = .failure(error)
                    case .encoding, .tokenCount: break
                    }
                }
            }
        }

        func end(_ end: EmbeddingJob.End) { completion(results.withLock { $0 }) }
    }
}
