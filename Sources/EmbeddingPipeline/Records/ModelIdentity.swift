import EmbeddingEngine
import Foundation

/// What a stored vector must say of the model that made it.
public struct ModelIdentity: Sendable, Equatable {
    /// SHA-256 over weights, tokenizer and settings.
    public var fingerprint: String
    public var name: String
    /// Elements of a vector.
    public var dimension: Int
    /// Whether vectors have unit length.
    public var isUnit: Bool

    public init(fingerprint: String, name: String, dimension: Int, isUnit: Bool) {
        self.fingerprint = fingerprint
        self.name = name
        self.dimension = dimension
        self.isUnit = isUnit
    }

    public init(_ model: EmbeddingModel) {
        self.init(
            fingerprint: model.settings.fingerprint, name: model.settings.name,
            dimension: model.dimension, isUnit: model.settings.normalize)
    }

    /// Bytes of a stored vector.
    var byteCount: Int { dimension * 4 }
}
