import GRDB

/// Chunks that are in need of an embedding.
public struct ChunkSelection: Sendable, Equatable {
    public var target: Target
    public var filter: Filter

    /// Whose chunks.
    public enum Target: Sendable, Equatable {
        case all
        case subject(Int64)
        case material(Int64)
        case chunk(Int64)
    }

    /// In what kind of need.
    public enum Filter: String, Sendable, CaseIterable {
        /// Any of the others.
        case any
        /// Tried in vain, those set aside included: to name them is to ask for another try.
        case failed
        /// Not tried to the end yet.
        case pending
        /// Without a valid vector of the model, whatever the status says.
        case missing
    }

    public init(_ target: Target, _ filter: Filter = .any) {
        self.target = target
        self.filter = filter
    }

    /// The condition on `content_chunks`, with `:target` for the model's fingerprint and `:bytes`
    /// for the length of its vectors.
    package var condition: String {
        let isMissing =
            "(model_fingerprint IS NOT :target OR embedding_byte_count IS NOT :bytes)"
        return switch filter {
        case .any: "(is_set_aside = 0 AND (embedding_status <> 'completed' OR \(isMissing)))"
        case .failed: "embedding_status = 'failed'"
        case .pending: "embedding_status = 'pending'"
        case .missing: "(is_set_aside = 0 AND \(isMissing))"
        }
    }

    package static func arguments(_ model: ModelIdentity) -> [String: (
        any DatabaseValueConvertible
    )?] {
        ["target": model.fingerprint, "bytes": model.byteCount]
    }
}
