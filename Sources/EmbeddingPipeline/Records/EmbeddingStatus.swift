import GRDB

/// Where a chunk's embedding stands.
public enum EmbeddingStatus: String, Codable, Sendable, CaseIterable, DatabaseValueConvertible {
    /// To be made.
    case pending
    /// Made and stored.
    case completed
    /// Could not be made; the chunk says why.
    case failed
}
