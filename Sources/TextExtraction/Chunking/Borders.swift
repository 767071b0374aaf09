/// Borders of lines, sentences and words within a paragraph.
///
/// Each function gives the last border in `(range.lowerBound, range.upperBound]`, nil for none. A
/// border is where the next part starts, white space before it or behind it being of no concern.
extension UTF8Text {
    func lastLineBorder(in range: Range<Int>) -> Int? {
        var i = range.upperBound
        while i > range.lowerBound {
            if bytes[i - 1] == 0x0A || bytes[i - 1] == 0x0D { return i }
            i -= 1
        }
        return nil
    }

    func lastWordBorder(in range: Range<Int>) -> Int? {
        var i = range.upperBound
        while i > range.lowerBound {
            let (value, length) = scalar(before: i)
            if Self.isBlank(value), startsGrapheme(at: i) { return i }
            i -= length
        }
        return nil
    }

    func lastSentenceBorder(in range: Range<Int>) -> Int? {
        var i = range.upperBound
        while i > range.lowerBound {
            let (value, length) = scalar(before: i)
            if endsSentence(at: i, after: value, limit: range.lowerBound) { return i }
            i -= length
        }
        return nil
    }

    /// The first border of words in the range.
    func firstWordBorder(in range: Range<Int>) -> Int? {
        var i = range.lowerBound
        while i < range.upperBound {
            let (value, length) = scalar(at: i)
            i += length
            if Self.isBlank(value), startsGrapheme(at: i) { return i }
        }
        return nil
    }

    /// The first border of sentences in the range.
    func firstSentenceBorder(in range: Range<Int>) -> Int? {
        var i = range.lowerBound
        while i < range.upperBound {
            let (value, length) = scalar(at: i)
            i += length
            if endsSentence(at: i, after: value, limit: range.lowerBound) { return i }
        }
        return nil
    }

    private func endsSentence(at i: Int, after last: UInt32, limit: Int) -> Bool {
        if Self.isBlank(last) {
            // Only the border next to the sentence's end, so that a run of white space is seen
            // once.
            if i < count, (0x61...0x7A).contains(bytes[i]) { return false }
            let end = i - scalar(before: i).length
            guard end > limit, startsGrapheme(at: i) else { return false }
            return Self.isFullStop(lastOfSentence(end, limit))
        }
        guard Self.isClosing(last) || Self.isIdeographicFullStop(last),
            Self.isIdeographicFullStop(lastOfSentence(i, limit))
        else { return false }
        // What closes the sentence is part of it.
        guard i < count else { return true }
        let next = scalar(at: i).value
        return !Self.isClosing(next) && !Self.isIdeographicFullStop(next) && startsGrapheme(at: i)
    }

    /// The scalar before the quotes and brackets that close at an offset. Sixteen are enough.
    private func lastOfSentence(_ offset: Int, _ limit: Int) -> UInt32 {
        var i = offset
        for _ in 0..<16 where i > limit {
            let (value, length) = scalar(before: i)
            guard Self.isClosing(value) else { return value }
            i -= length
        }
        return 0
    }

    private static func isFullStop(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x21, 0x2E, 0x3F, 0x2026: true
        default: isIdeographicFullStop(scalar)
        }
    }

    /// Full stops that no space follows.
    private static func isIdeographicFullStop(_ scalar: UInt32) -> Bool {
        scalar == 0x3002 || scalar == 0xFF01 || scalar == 0xFF1F || scalar == 0xFF61
    }

    /// `"`, `'`, `)`, `]`, `»`, `’`, `”`, and those of East Asia.
    private static func isClosing(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x22, 0x27, 0x29, 0x5D, 0xBB, 0x2019, 0x201D: true
        case 0x3009, 0x300B, 0x300D, 0x300F, 0x3011, 0xFF09, 0xFF3D, 0xFF5D, 0xFF63: true
        default: false
        }
    }
}
