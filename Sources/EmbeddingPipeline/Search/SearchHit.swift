/// A chunk that a search has found.
public struct SearchHit: Sendable, Equatable {
    public var chunkID: Int64
    /// Cosine similarity to the query, -1 to 1.
    public var score: Float
    public var materialID: Int64
    public var title: String
    public var sourcePath: String?
    public var subject: String
    /// The chunk's place in its material, from 0.
    public var ordinal: Int
    public var page: Int?
    /// Where it stands in the source file, in bytes.
    public var byteRange: Range<Int>?
    public var text: String
}
