import TextExtraction

/// A chunk that a search has found.
public struct SearchHit: Sendable, Equatable {
    public var chunkID: Int64
    /// What it is ranked by: of a vector search the cosine similarity to the query, -1 to 1; of a
    /// keyword search the negated BM25, the more the better; of a hybrid one the sum of the
    /// reciprocal ranks.
    public var score: Float
    /// Its place by similarity, from 1; nil where it is not among the candidates.
    public var vectorRank: Int?
    /// Its place by words, from 1.
    public var keywordRank: Int?
    public var materialID: Int64
    public var title: String
    public var sourcePath: String?
    public var mediaType: String?
    public var subject: String
    /// The chunk's place in its material, from 0.
    public var ordinal: Int
    /// Where it stands, as a person looks it up.
    public var place: SourcePlace
    /// Where it stands in the source file, in bytes.
    public var byteRange: Range<Int>?
    public var text: String
    /// Words of the query in the text: offsets in its UTF-8, ascending.
    public var matches: [Range<Int>] = []

    /// The first page that it stands on.
    public var page: Int? { place.pages?.lowerBound }
}

struct ScoredChunk: Equatable {
    var id: Int64
    var score: Float

    /// Whether it stands before another among the results.
    func isBetter(than other: ScoredChunk) -> Bool {
        score != other.score ? score > other.score : id < other.id
    }
}

/// The best of many, in memory for the best only.
struct BestChunks {
    private let limit: Int
    /// The best first.
    private(set) var sorted: [ScoredChunk] = []

    init(limit: Int) { self.limit = limit }

    mutating func insert(_ chunk: ScoredChunk) {
        if sorted.count == limit {
            guard let last = sorted.last, chunk.isBetter(than: last) else { return }
            sorted.removeLast()
        }
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle].isBetter(than: chunk) { low = middle + 1 } else { high = middle }
        }
        sorted.insert(chunk, at: low)
    }
}
