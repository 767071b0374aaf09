import Tokenization

/// The tokens of a text from the present chunk's start on, read as far ahead as asked for.
///
/// The text is tokenized in slices that end at white space, where counts are additive, so that
/// memory does not grow with the text.
struct TokenWindow {
    private struct Token {
        var start: Int
        var end: Int
        /// Nothing before it has an effect on it.
        var isWordStart: Bool
    }

    private static let sliceByteCount = 1 << 16

    private let text: UTF8Text
    private let tokenizer: Tokenizer
    private let isContinuing: [Bool]
    /// Those before `head` are done with.
    private var tokens: [Token] = []
    private var head = 0
    /// Where the next slice starts.
    private var readEnd = 0

    init(_ text: UTF8Text, tokenizer: Tokenizer, isContinuing: [Bool]) {
        self.text = text
        self.tokenizer = tokenizer
        self.isContinuing = isContinuing
    }

    /// How many tokens are at hand.
    var count: Int { tokens.count - head }

    /// Where a token starts; the end of the text for one that was asked for by ``read(_:)`` and is
    /// not there.
    func start(_ i: Int) -> Int { i < count ? tokens[head + i].start : text.count }

    func isWordStart(_ i: Int) -> Bool { tokens[head + i].isWordStart }

    /// The number of tokens that start before an offset.
    func count(before offset: Int) -> Int {
        var (low, high) = (head, tokens.count)
        while low < high {
            let middle = (low + high) / 2
            if tokens[middle].start < offset { low = middle + 1 } else { high = middle }
        }
        return low - head
    }

    /// Makes at least `count` tokens available, unless the text has no more.
    mutating func read(_ count: Int) {
        while self.count < count, readEnd < text.count {
            if head > tokens.count / 2 {
                tokens.removeFirst(head)
                head = 0
            }
            var end = min(readEnd + Self.sliceByteCount, text.count)
            while end < text.count, !Self.endsSlice(text.bytes[end]) { end += 1 }
            tokens.append(contentsOf: tokenize(readEnd..<end))
            readEnd = end
        }
    }

    /// Drops the tokens before an offset that is not beyond the last token read. If a word was cut
    /// there, what is left of it is tokenized anew.
    mutating func advance(to offset: Int) {
        var lastEnd = 0
        while head < tokens.count, tokens[head].start < offset {
            lastEnd = tokens[head].end
            head += 1
        }
        let isCut = lastEnd > offset || (head < tokens.count && !tokens[head].isWordStart)
        guard isCut else { return }
        var next = head
        while next < tokens.count, !tokens[next].isWordStart { next += 1 }
        let rest = tokenize(offset..<(next < tokens.count ? tokens[next].start : readEnd))
        // Into the place of those done with: moving the others would take quadratic time.
        if rest.count <= next {
            head = next - rest.count
            tokens.replaceSubrange(head..<next, with: rest)
        } else {
            tokens.replaceSubrange(..<next, with: rest)
            head = 0
        }
    }

    private func tokenize(_ range: Range<Int>) -> [Token] {
        let encoding = tokenizer.encode(text.string(range))
        // Without the special tokens.
        return (1..<encoding.ids.count - 1).map { i in
            let start = range.lowerBound + encoding.offsets[i].lowerBound
            return Token(
                start: start, end: range.lowerBound + encoding.offsets[i].upperBound,
                isWordStart: !isContinuing[Int(encoding.ids[i])] || start == range.lowerBound
                    || UTF8Text.isBlank(text.scalar(before: start).value))
        }
    }

    private static func endsSlice(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x09 || byte == 0x0D
    }
}
