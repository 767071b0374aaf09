/// Valid UTF-8, read by scalars at byte offsets. Does not own its bytes.
struct UTF8Text {
    let bytes: UnsafeBufferPointer<UInt8>

    var count: Int { bytes.count }

    func string(_ range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    /// The scalar at an offset, and its length in bytes.
    @inline(__always)
    func scalar(at i: Int) -> (value: UInt32, length: Int) {
        let byte = UInt32(bytes[i])
        if byte < 0x80 { return (byte, 1) }
        func tail(_ offset: Int) -> UInt32 { UInt32(bytes[i + offset] & 0x3F) }
        if byte < 0xE0 { return ((byte & 0x1F) << 6 | tail(1), 2) }
        if byte < 0xF0 { return ((byte & 0x0F) << 12 | tail(1) << 6 | tail(2), 3) }
        return ((byte & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4)
    }

    /// The scalar that ends at an offset over 0, and its length in bytes.
    @inline(__always)
    func scalar(before i: Int) -> (value: UInt32, length: Int) {
        var start = i - 1
        while bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return scalar(at: start)
    }

    /// The first offset in a range whose scalar is no white space; the range's end for none.
    func skipWhitespace(_ range: Range<Int>) -> Int {
        var i = range.lowerBound
        while i < range.upperBound {
            let (value, length) = scalar(at: i)
            guard Self.isWhitespace(value) else { return i }
            i += length
        }
        return range.upperBound
    }

    /// The range without white space around.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        let start = skipWhitespace(range)
        var end = range.upperBound
        while end > start {
            let (value, length) = scalar(before: end)
            guard Self.isWhitespace(value) else { break }
            end -= length
        }
        return start..<end
    }

    /// Whether white space of the tokenizer stands in a range.
    func hasBlank(_ range: Range<Int>) -> Bool {
        var i = range.lowerBound
        while i < range.upperBound {
            let (value, length) = scalar(at: i)
            if Self.isBlank(value) { return true }
            i += length
        }
        return false
    }

    /// Whether a grapheme may start at an offset after white space or the end of a sentence.
    func startsGrapheme(at i: Int) -> Bool {
        guard i < count, bytes[i] >= 0x80, let scalar = Unicode.Scalar(scalar(at: i).value) else {
            return true
        }
        // Extend, ZWJ and SpacingMark (Unicode Standard Annex 29, GB9 and GB9a).
        let properties = scalar.properties
        return !properties.isGraphemeExtend && !properties.isEmojiModifier
            && properties.generalCategory != .spacingMark && scalar.value != 0x200D
    }

    /// Unicode's White_Space.
    @inline(__always)
    static func isWhitespace(_ scalar: UInt32) -> Bool {
        isBlank(scalar) || scalar == 0x0B || scalar == 0x0C || scalar == 0x85
    }

    /// What ends a word for the tokenizer under any of its options: white space but for the
    /// controls that it removes.
    ///
    /// Token counts are additive there: nothing of one side has an effect on the other, save for
    /// added tokens that hold white space themselves.
    @inline(__always)
    static func isBlank(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x09, 0x0A, 0x0D, 0x20: true
        case ..<0xA0: false
        case 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }
}
