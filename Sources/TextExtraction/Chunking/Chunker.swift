import Tokenization

/// Cuts text into chunks that are never longer than the model's window, by the tokenizer's own
/// count.
///
/// A chunk takes all that fits and ends at the best border in it. Best is the first of these that
/// leaves it at least a third full, and of several the last:
/// 1. in Markdown, before a heading of level 1 or 2: there a chunk ends even if more would fit;
/// 2. in Markdown, before any other heading;
/// 3. between blocks: paragraphs, and in Markdown fenced code;
/// 4. between lines;
/// 5. between sentences: after `.`, `!`, `?` or `…` with white space behind, unless a small ASCII
///    letter follows; after `。`, `！`, `？` or `｡` without; quotes and brackets that close belong to
///    the sentence;
/// 6. between words: white space as the tokenizer has it.
///
/// A heading is not parted from what follows it. Fenced code that fits a window is not cut, nor is
/// a word, even if the chunk before it gets small. A longer word is cut between graphemes, where
/// the tokenizer sees the border of a word if there is one; only a grapheme that is itself too long
/// is cut between scalars.
///
/// Chunks do not overlap. Every scalar that is no white space is in exactly one, but for a chunk in
/// which the tokenizer sees nothing (control characters alone), which is left out.
///
/// The result is local: a chunk depends on the two windows of tokens from its start on and on the
/// blocks that begin in the first of them, on nothing before or after. So a paragraph appended
/// changes the last chunk alone, save where code was left open at the end. An edit in the middle
/// leaves the chunks more than two windows before it as they are; behind it, chunks are the same
/// again from the first border on that both versions choose, most often the next heading of level 1
/// or 2. In text without headings borders may stay shifted, as they move by whole paragraphs.
///
/// Takes linear time: the text is tokenized once to find the borders and once, chunk by chunk, to
/// verify the counts.
public struct Chunker: Sendable {
    /// The window in tokens, special tokens included.
    public let maximumTokenCount: Int
    private let tokenizer: Tokenizer
    /// By token id.
    private let isContinuing: [Bool]

    /// - Parameter maximumTokenCount: the model's window, special tokens included; at least 8, so
    ///   that any one scalar fits.
    public init(tokenizer: Tokenizer, maximumTokenCount: Int) {
        precondition(maximumTokenCount >= 8, "a single scalar might not fit")
        self.tokenizer = tokenizer
        self.maximumTokenCount = maximumTokenCount
        let prefix = tokenizer.settings.continuingSubwordPrefix
        isContinuing = (0..<Int32(tokenizer.vocabularySize)).map { id in
            tokenizer.token(id).map { $0.utf8.starts(with: prefix.utf8) } ?? false
        }
    }

    /// The chunks of a text, in its order; none where the tokenizer sees nothing in it.
    public func chunks(of extracted: ExtractedText) -> [TextChunk] {
        var text = extracted.text
        return text.withUTF8 { utf8 in
            var splitter = TextSplitter(
                UTF8Text(bytes: utf8), isMarkdown: extracted.mediaType == .markdown,
                tokens: TokenWindow(
                    UTF8Text(bytes: utf8), tokenizer: tokenizer, isContinuing: isContinuing),
                tokenizer: tokenizer, maximumTokenCount: maximumTokenCount)
            var chunks: [TextChunk] = []
            while let piece = splitter.next() {
                // The special tokens alone are 2.
                if piece.tokenCount == 2 { continue }
                chunks.append(
                    TextChunk(
                        ordinal: chunks.count, text: piece.text, tokenCount: piece.tokenCount,
                        byteRange: extracted.byteRange(of: piece.range, in: utf8)))
            }
            return chunks
        }
    }
}
