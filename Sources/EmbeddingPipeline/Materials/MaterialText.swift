import Foundation
import TextExtraction

/// A piece of text as it is cut from a material, before it is stored.
public struct ChunkDraft: Sendable, Equatable {
    public var text: String
    /// Special tokens included.
    public var tokenCount: Int
    /// What is put before the text when it is embedded.
    public var context: String?
    /// Where it stands in the source file, in bytes.
    public var byteRange: Range<Int>?
    /// Where it stands, as a person looks it up.
    public var place: SourcePlace?

    public init(
        text: String, tokenCount: Int, context: String? = nil, byteRange: Range<Int>? = nil,
        place: SourcePlace? = nil
    ) {
        self.text = text
        self.tokenCount = tokenCount
        self.context = context
        self.byteRange = byteRange
        self.place = place
    }
}

/// What an edit of a material did to its chunks.
public struct ChunkChanges: Sendable, Equatable {
    /// Kept with their embeddings.
    public var keptCount = 0
    /// New texts.
    public var addedCount = 0
    /// Gone from the material.
    public var removedCount = 0

    public init() {}

    public static func += (left: inout ChunkChanges, right: ChunkChanges) {
        left.keptCount += right.keptCount
        left.addedCount += right.addedCount
        left.removedCount += right.removedCount
    }
}

/// What a material's file gave, and what was known of the material when it was read.
struct MaterialText {
    var drafts: [ChunkDraft]
    var mediaType: String
    /// SHA-256 of the file, in hexadecimal.
    var contentHash: String
    /// How it was cut.
    var chunking: String
    /// The hash of the version that it takes the place of.
    var previousHash: String?
    /// The task that this is done for.
    var lease: TaskLease?
    /// Whether a task for chunks in need is queued in the same transaction.
    var queuesEmbeddings: Bool
}

/// Places as they stand in the database.
enum StoredPlace {
    static func json(_ place: SourcePlace) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(place), as: UTF8.self)
    }

    static func place(_ json: String) throws -> SourcePlace {
        try JSONDecoder().decode(SourcePlace.self, from: Data(json.utf8))
    }
}
