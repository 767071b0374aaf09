import Foundation
import GRDB
import TextExtraction

/// A piece of a material's text that fits the model's window, and its embedding.
public struct ContentChunk: Codable, Sendable, Identifiable, FetchableRecord,
    MutablePersistableRecord
{
    public static let databaseTableName = "content_chunks"

    public private(set) var id: Int64?
    public var materialID: Int64
    /// Its place in the material, from 0.
    public var ordinal: Int
    public var text: String
    /// What is put before the text when it is embedded.
    public var context: String?
    /// Where it stands, as JSON.
    public var place: String?
    /// SHA-256 of the UTF-8 of context and text: equal texts have equal embeddings.
    public var textHash: Data
    /// The page it stands on, from 1, where the material has pages.
    public var page: Int?
    /// Where it stands in the source file, in bytes.
    public var byteStart: Int?
    public var byteEnd: Int?
    /// Special tokens included, as counted when it was cut.
    public var tokenCount: Int?
    /// `[D]` little-endian float32.
    public var embedding: Data?
    public var embeddingStatus: EmbeddingStatus
    /// How often its embedding was tried, counted before each try.
    public var attempts: Int
    /// How often the process ended while it was in work, since it last went well.
    public var interruptions: Int
    /// Of those: when nothing else was in work.
    public var loneInterruptions: Int
    /// Whether it was given up: it ended the process that worked on it, time and again.
    public var isSetAside: Bool
    /// Why it is `failed`.
    public var lastError: String?
    /// The fingerprint of the model that made the embedding.
    public var modelFingerprint: String?
    /// What holds it for a worker now.
    public var claimID: Int64?
    public var createdAt: Date
    public var updatedAt: Date?

    public mutating func didInsert(_ inserted: InsertionSuccess) { id = inserted.rowID }

    enum CodingKeys: String, CodingKey {
        case id, ordinal, text, context, place, page, embedding, attempts, interruptions
        case materialID = "material_id"
        case textHash = "text_hash"
        case byteStart = "byte_start"
        case byteEnd = "byte_end"
        case tokenCount = "token_count"
        case embeddingStatus = "embedding_status"
        case loneInterruptions = "lone_interruptions"
        case isSetAside = "is_set_aside"
        case lastError = "last_error"
        case modelFingerprint = "model_fingerprint"
        case claimID = "claim_id"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}

extension ContentChunk {
    /// Whether the embedding is a valid vector: of this many elements, all finite, of unit length.
    ///
    /// - Parameters:
    ///   - dimension: elements of the model's vectors; nil takes any number.
    ///   - isUnit: whether the model's vectors have unit length.
    public func hasEmbedding(dimension: Int? = nil, isUnit: Bool = true) -> Bool {
        guard let embedding else { return false }
        return StoredVector.isValid(embedding, dimension: dimension, isUnit: isUnit)
    }

    /// Where it stands, as a person looks it up.
    ///
    /// - Throws: `PipelineError.database` when what is stored is no place.
    public var sourcePlace: SourcePlace {
        get throws(PipelineError) {
            guard let place else { return SourcePlace(pages: page.map { $0...$0 }) }
            do { return try StoredPlace.place(place) } catch {
                throw .database("a chunk's place is not readable")
            }
        }
    }

    /// Takes a vector in as its embedding.
    ///
    /// - Parameters:
    ///   - vector: `[D]`.
    ///   - fingerprint: of the model that made it.
    public mutating func markEmbeddingCompleted(
        _ vector: [Float], fingerprint: String, at now: Date
    ) {
        embedding = StoredVector.data(vector)
        modelFingerprint = fingerprint
        embeddingStatus = .completed
        interruptions = 0
        loneInterruptions = 0
        isSetAside = false
        lastError = nil
        claimID = nil
        updatedAt = now
    }

    /// Records why it has no embedding.
    public mutating func markEmbeddingFailed(_ reason: String, at now: Date) {
        embeddingStatus = .failed
        lastError = reason
        claimID = nil
        updatedAt = now
    }
}

extension ContentChunk: CustomStringConvertible {
    /// Place and status; never the text.
    public var description: String {
        let error = lastError.map { ": \($0)" } ?? ""
        return "chunk \(id.map(String.init) ?? "new") (\(ordinal) of material \(materialID), "
            + "\(embeddingStatus.rawValue)\(error))"
    }
}
