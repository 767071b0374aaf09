import Foundation
import GRDB
import TextExtraction

/// What a person studies: it owns materials.
public struct Subject: Codable, Sendable, Identifiable, Equatable, FetchableRecord,
    MutablePersistableRecord
{
    public static let databaseTableName = "subjects"

    public private(set) var id: Int64?
    public var name: String
    public var createdAt: Date
    /// Tokens of a chunk at most; nil: as measured to be best.
    public var chunkTokenCount: Int?
    /// Tokens that a chunk shares with the one before it.
    public var overlapTokenCount: Int?
    /// What is put before a chunk; empty for nothing.
    public var contextTemplate: String?

    init(name: String, createdAt: Date) {
        self.name = name
        self.createdAt = createdAt
    }

    public mutating func didInsert(_ inserted: InsertionSuccess) { id = inserted.rowID }

    enum CodingKeys: String, CodingKey {
        case id, name
        case chunkTokenCount = "chunk_tokens"
        case overlapTokenCount = "overlap_tokens"
        case contextTemplate = "context_template"
        case createdAt = "created_at"
    }
}

extension Subject {
    /// How the text of its materials is cut.
    public var chunkOptions: ChunkOptions {
        var options = ChunkOptions.standard
        if let chunkTokenCount { options.tokenCount = chunkTokenCount }
        if let overlapTokenCount { options.overlapTokenCount = overlapTokenCount }
        if let contextTemplate {
            options.context = contextTemplate.isEmpty ? nil : ContextTemplate(contextTemplate)
        }
        return options
    }
}
