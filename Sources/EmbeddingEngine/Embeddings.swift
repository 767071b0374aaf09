/// Vectors of texts, and what became of the texts.
public struct Embeddings: Sendable, Equatable {
    /// `[N, H]`, row-major.
    public var vectors: [Float]
    /// H
    public var dimension: Int
    /// The tokens that were embedded of each text, special tokens included.
    public var tokenCounts: [Int]
    /// The tokens that truncation took from each text.
    public var droppedTokenCounts: [Int]

    public var count: Int { tokenCounts.count }

    public subscript(index: Int) -> ArraySlice<Float> {
        vectors[index * dimension..<(index + 1) * dimension]
    }
}
