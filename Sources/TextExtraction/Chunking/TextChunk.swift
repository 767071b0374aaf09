/// A part of a text that the model takes whole.
public struct TextChunk: Sendable, Equatable {
    /// The place among the text's chunks, from 0.
    public var ordinal: Int
    /// The source's text without white space around it, unchanged within.
    public var text: String
    /// What is put before ``text`` when it is embedded, with its line end; often empty.
    public var context: String
    /// The tokenizer's count for context and text together, special tokens included: what the model
    /// sees.
    public var tokenCount: Int
    /// Where ``text`` stands in the source file, in bytes; nil where it does not stand there as such.
    public var byteRange: Range<Int>?
    public var place: SourcePlace

    public init(
        ordinal: Int, text: String, context: String = "", tokenCount: Int, byteRange: Range<Int>?,
        place: SourcePlace = SourcePlace()
    ) {
        self.ordinal = ordinal
        self.text = text
        self.context = context
        self.tokenCount = tokenCount
        self.byteRange = byteRange
        self.place = place
    }
}
