import EmbeddingEngine
import Foundation
import Safetensors
import TestSupport
import Testing

/// The tiny model, converted, that a test may spoil.
final class ModelCopy {
    private let directory: TemporaryDirectory
    var raw: RawSafetensors

    init() throws {
        directory = try TemporaryDirectory()
        raw = try RawSafetensors(Self.bytes.get())
    }

    // Immutable: converted once for all tests.
    private static let bytes = Result { try CheckpointCopy().converted() }

    var path: String { directory.path("model.safetensors") }

    /// Opens the model as it is now.
    func open() throws -> EmbeddingModel {
        try raw.writeAligned(to: path)
        return try EmbeddingModel(path: path)
    }

    func embedder() throws -> Embedder { Embedder(try open(), .init(threadCount: 1)) }

    func expectRefusal(
        _ error: ModelError, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(throws: error, sourceLocation: sourceLocation) { try open() }
    }
}
