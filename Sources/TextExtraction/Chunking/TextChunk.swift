/// A part of a text that the model takes whole.
public struct TextChunk: Sendable, Equatable {
    /// The place among the text's chunks, from 0.
    public var ordinal: Int
    /// The source's text without white space around it, unchanged within.
    public var text: String
    /// The tokenizer's count for ``text``, special tokens included: what the model sees.
    public var tokenCount: Int
    /// Where ``text`` stands in the source file, in bytes.
    public var byteRange: Range<Int>

    public init(ordinal: Int, text: String, tokenCount: Int, byteRange: Range<Int>) {
        self.ordinal = ordinal
        self.text = text
        self.tokenCount = tokenCount
        self.byteRange = byteRange
    }
}
