import Tokenization

/// How much of the chunk before a chunk begins with.
struct Overlap {
    let text: UTF8Text
    let tokenizer: Tokenizer
    let tokenCount: Int

    /// Where a chunk starts that begins with the end of the one before: at the first border of
    /// sentences in its last tokens, else of words.
    ///
    /// - Returns: nil where there is no such border.
    func start(in previous: Range<Int>) -> Int? {
        guard tokenCount > 0, !previous.isEmpty else { return nil }
        // A token has seldom more bytes than that; what is left out would not be taken.
        var from = max(previous.lowerBound, previous.upperBound - tokenCount * 24)
        while from < previous.upperBound, text.bytes[from] & 0xC0 == 0x80 { from += 1 }
        let encoding = tokenizer.encode(text.string(from..<previous.upperBound))
        let count = encoding.ids.count - 2
        let first = count - tokenCount
        guard count > 0 else { return nil }
        let floor =
            first <= 0 ? from : from + encoding.offsets[first + 1].lowerBound
        let border =
            text.firstSentenceBorder(in: floor..<previous.upperBound)
            ?? text.firstWordBorder(in: floor..<previous.upperBound)
        guard let border, border < previous.upperBound, border > previous.lowerBound else {
            return nil
        }
        return border
    }
}
