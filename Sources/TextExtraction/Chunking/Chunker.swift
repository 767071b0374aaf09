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
/// A heading is not parted from what follows it. Code, a table or a record that fits a window is not
/// cut, nor is a word, even if the chunk before it gets small. A longer word is cut between graphemes, where
/// the tokenizer sees the border of a word if there is one; only a grapheme that is itself too long
/// is cut between scalars.
///
/// Chunks do not overlap unless that is asked for; then each begins with the last sentences of the one
/// before it, but for one that begins with a heading. Without overlap every scalar that is no white space is in exactly one, but for a chunk in
/// which the tokenizer sees nothing (control characters alone), which is left out.
///
/// The result is local: a chunk depends on the two windows of tokens from its start on and on the
/// blocks that begin in the first of them, and on the headings above it where they are put before it
/// as context, on nothing else before or after. So a paragraph appended
/// changes the last chunk alone, save where code was left open at the end. An edit in the middle
/// leaves the chunks more than two windows before it as they are; behind it, chunks are the same
/// again from the first border on that both versions choose, most often the next heading of level 1
/// or 2. In text without headings borders may stay shifted, as they move by whole paragraphs.
///
/// Takes linear time: the text is tokenized once to find the borders and once, chunk by chunk, to
/// verify the counts.
public struct Chunker: Sendable {
    /// Tokens of a chunk at most, special tokens included.
    public private(set) var maximumTokenCount: Int
    public private(set) var options: ChunkOptions
    private let windowTokenCount: Int
    private let tokenizer: Tokenizer
    /// By token id.
    private let isContinuing: [Bool]

    /// - Parameters:
    ///   - maximumTokenCount: the model's window, special tokens included; at least 8, so that any
    ///     one scalar fits.
    ///   - options: whose own size counts where it is smaller.
    public init(
        tokenizer: Tokenizer, maximumTokenCount: Int, _ options: ChunkOptions = ChunkOptions()
    ) {
        precondition(maximumTokenCount >= 8, "a single scalar might not fit")
        self.tokenizer = tokenizer
        windowTokenCount = maximumTokenCount
        self.maximumTokenCount = max(8, min(maximumTokenCount, options.tokenCount ?? .max))
        self.options = options
        let prefix = tokenizer.settings.continuingSubwordPrefix
        isContinuing = (0..<Int32(tokenizer.vocabularySize)).map { id in
            tokenizer.token(id).map { $0.utf8.starts(with: prefix.utf8) } ?? false
        }
    }

    /// The same with other options.
    public func with(_ options: ChunkOptions) -> Chunker {
        var chunker = self
        chunker.options = options
        chunker.maximumTokenCount = max(8, min(windowTokenCount, options.tokenCount ?? .max))
        return chunker
    }

    /// The chunks of a text, in its order; none where the tokenizer sees nothing in it.
    ///
    /// - Parameter title: of the document, where it does not say one itself.
    public func chunks(of extracted: ExtractedText, title: String? = nil) -> [TextChunk] {
        var text = extracted.text
        return text.withUTF8 { utf8 in
            let text = UTF8Text(bytes: utf8)
            var splitter = TextSplitter(
                text, BlockSource(extracted, text), title: extracted.title ?? title,
                tokens: TokenWindow(text, tokenizer: tokenizer, isContinuing: isContinuing),
                tokenizer: tokenizer, maximumTokenCount: maximumTokenCount, options)
            let overlap = Overlap(
                text: text, tokenizer: tokenizer, tokenCount: options.overlapTokenCount)
            var lines = LineCounter(text)
            var previous: Range<Int>?
            var chunks: [TextChunk] = []
            while let piece = splitter.next() {
                // The special tokens alone are 2.
                if piece.tokenCount == 2 { continue }
                let whole = extend(piece, overlap, previous, text)
                previous = piece.range
                var place = extracted.marks.place(of: whole.range)
                if extracted.isItsOwnSource { place.lines = lines.lines(of: whole.range) }
                place.headings = piece.headings
                chunks.append(
                    TextChunk(
                        ordinal: chunks.count, text: whole.text, context: piece.context,
                        tokenCount: whole.tokenCount,
                        byteRange: extracted.byteRange(of: whole.range, in: utf8), place: place))
            }
            return chunks
        }
    }

    /// A piece with the end of the one before it, where that fits.
    private func extend(
        _ piece: TextSplitter.Piece, _ overlap: Overlap, _ previous: Range<Int>?, _ text: UTF8Text
    ) -> TextSplitter.Piece {
        guard let previous, !piece.startsWithHeading, let start = overlap.start(in: previous)
        else { return piece }
        var whole = piece
        whole.range = text.trimmed(start..<piece.range.upperBound)
        whole.text = text.string(whole.range)
        whole.tokenCount = tokenizer.tokenCount(piece.context + whole.text)
        return whole.tokenCount <= maximumTokenCount ? whole : piece
    }
}

/// Line numbers of offsets that mostly go up.
private struct LineCounter {
    private let text: UTF8Text
    private var offset = 0
    /// Line ends before the offset.
    private var count = 0

    init(_ text: UTF8Text) { self.text = text }

    /// The lines of a part of the text, from 1.
    mutating func lines(of range: Range<Int>) -> ClosedRange<Int> {
        move(to: range.lowerBound)
        let first = count + 1
        move(to: max(range.lowerBound, range.upperBound - 1))
        return first...max(first, count + 1)
    }

    private mutating func move(to target: Int) {
        if target >= offset {
            count += lineEnds(offset..<target)
        } else {
            count -= lineEnds(target..<offset)
        }
        offset = target
    }

    /// LF, CRLF or CR.
    private func lineEnds(_ range: Range<Int>) -> Int {
        var count = 0
        for i in range {
            let byte = text.bytes[i]
            let isReturn =
                byte == 0x0D && !(i + 1 < text.count && text.bytes[i + 1] == 0x0A)
            if byte == 0x0A || isReturn { count += 1 }
        }
        return count
    }
}
