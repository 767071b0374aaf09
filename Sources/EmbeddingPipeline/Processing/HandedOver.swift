import EmbeddingEngine

/// A claim whose chunks the engine has.
final class HandedOver {
    let claim: Claim
    private let results = Monitor<[Result<[Float], EmbeddingError>]?>(nil)
    private let handle: EmbeddingHandle

    init(_ claim: Claim, _ embedder: any ChunkEmbedder) {
        self.claim = claim
        let results = results
        handle = embedder.embed(claim.chunks.map(\.text)) { new in
            results.withLock { $0 = new }
            results.notifyAll()
        }
    }

    /// Waits for the results, one a chunk. When a stop is asked for, those that are not there yet
    /// are cancelled.
    func wait(_ isStopRequested: () -> Bool) -> [Result<[Float], EmbeddingError>] {
        while true {
            if let results = results.wait(timeout: .milliseconds(100), { $0 }) { return results }
            if isStopRequested() { handle.cancel() }
        }
    }

    /// Ends the work; nobody waits for it any more.
    func cancel() { handle.cancel() }
}

/// A wait on a thread that may block.
enum Pause {
    static func wait(_ duration: Duration) {
        _ = Monitor(()).wait(timeout: duration) { _ in Bool?.none }
    }
}

extension EmbeddingError {
    /// What is recorded with a chunk; places in a batch mean nothing there.
    var chunkDescription: String {
        switch self {
        case .textTooLong(_, let count, let limit):
            "\(count) tokens, more than the model's window of \(limit); cut the material anew"
        case .model(.nonFiniteOutput): "the model's vector is not finite"
        default: description
        }
    }
}
