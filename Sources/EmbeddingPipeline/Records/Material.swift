import Foundation
import GRDB

/// A document of a subject: a file whose text is cut into chunks.
public struct Material: Codable, Sendable, Identifiable, Equatable, FetchableRecord,
    MutablePersistableRecord
{
    public static let databaseTableName = "materials"

    public private(set) var id: Int64?
    public var subjectID: Int64
    public var title: String
    /// The file that it came from, absolute; nil for a text that was given as such.
    public var sourcePath: String?
    public var mediaType: String?
    /// SHA-256 of the file's bytes when its text was last taken, in hexadecimal.
    public var contentHash: String?
    /// How its text was cut; nil before that was kept.
    public var chunking: String?
    /// The hash of the content that no text could be taken from.
    public var failedHash: String?
    public var processingStatus: ProcessingStatus
    /// Why it is `failed`.
    public var lastError: String?
    public var createdAt: Date
    public var updatedAt: Date?

    /// How far a material is.
    public enum ProcessingStatus: String, Codable, Sendable, CaseIterable, DatabaseValueConvertible
    {
        /// Its text was not taken yet.
        case pending
        /// It has chunks; not all have an embedding.
        case extracted
        /// All of its chunks have an embedding.
        case completed
        /// Its text could not be taken, or some chunks have failed and none is left to do.
        case failed
    }

    init(subjectID: Int64, title: String, sourcePath: String?, mediaType: String?, createdAt: Date)
    {
        self.subjectID = subjectID
        self.title = title
        self.sourcePath = sourcePath
        self.mediaType = mediaType
        processingStatus = .pending
        self.createdAt = createdAt
        updatedAt = createdAt
    }

    public mutating func didInsert(_ inserted: InsertionSuccess) { id = inserted.rowID }

    enum CodingKeys: String, CodingKey {
        case id, title, chunking
        case failedHash = "failed_hash"
        case subjectID = "subject_id"
        case sourcePath = "source_path"
        case mediaType = "media_type"
        case contentHash = "content_hash"
        case processingStatus = "processing_status"
        case lastError = "last_error"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}
