/// Text files: finds the encoding and decodes it, changing nothing else.
///
/// UTF-8 with or without a byte order mark; UTF-16 with one; whatever is not valid UTF-8 is taken
/// for Windows-1252, as browsers do (WHATWG Encoding Standard). A NUL is in no text.
enum PlainTextExtractor {
    static func extract(
        _ bytes: [UInt8], mediaType: MediaType
    ) throws(ExtractionError) -> ExtractedText {
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            return try utf16(bytes, mediaType)
        }
        guard !bytes.contains(0) else { throw .binary }
        let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        if let text = String(validating: bytes[start...], as: UTF8.self) {
            return ExtractedText(
                text, mediaType: mediaType, sourceMap: SourceMap(.utf8, sourceStart: start))
        }
        return windows1252(bytes, mediaType)
    }

    private static func utf16(
        _ bytes: [UInt8], _ mediaType: MediaType
    ) throws(ExtractionError) -> ExtractedText {
        guard bytes.count.isMultiple(of: 2) else { throw .binary }
        let low = bytes[0] == 0xFF ? 0 : 1
        var output = Output(.utf16, sourceStart: 2, capacity: bytes.count)
        var i = 2
        while i < bytes.count {
            var value = unit(bytes, i, low)
            var length = 2
            if 0xD800..<0xDC00 ~= value, i + 2 < bytes.count {
                let second = unit(bytes, i + 2, low)
                if 0xDC00..<0xE000 ~= second {
                    value = 0x10000 + (value - 0xD800) << 10 + (second - 0xDC00)
                    length = 4
                }
            }
            // Half a surrogate pair is no scalar.
            guard value != 0, let scalar = Unicode.Scalar(value) else { throw .binary }
            output.append(scalar, at: i)
            i += length
        }
        return output.extractedText(mediaType)
    }

    private static func unit(_ bytes: [UInt8], _ i: Int, _ low: Int) -> UInt32 {
        UInt32(bytes[i + low]) | UInt32(bytes[i + 1 - low]) << 8
    }

    private static func windows1252(_ bytes: [UInt8], _ mediaType: MediaType) -> ExtractedText {
        var output = Output(.singleByte, sourceStart: 0, capacity: bytes.count + bytes.count / 8)
        for (i, byte) in bytes.enumerated() {
            let isSpecial = 0x80..<0xA0 ~= byte
            output.append(isSpecial ? specials[Int(byte) - 0x80] : Unicode.Scalar(byte), at: i)
        }
        return output.extractedText(mediaType)
    }

    /// What Windows-1252 has at 80...9F; the five bytes that it leaves open are controls.
    private static let specials: [Unicode.Scalar] = Array(
        """
        \u{20AC}\u{81}\u{201A}\u{192}\u{201E}\u{2026}\u{2020}\u{2021}\
        \u{2C6}\u{2030}\u{160}\u{2039}\u{152}\u{8D}\u{17D}\u{8F}\
        \u{90}\u{2018}\u{2019}\u{201C}\u{201D}\u{2022}\u{2013}\u{2014}\
        \u{2DC}\u{2122}\u{161}\u{203A}\u{153}\u{9D}\u{17E}\u{178}
        """.unicodeScalars)

    /// Text as it is decoded, with its way back.
    private struct Output {
        private var utf8: [UInt8] = []
        private var sourceMap: SourceMap
        private var nextMark = SourceMap.markDistance

        init(_ encoding: SourceMap.Encoding, sourceStart: Int, capacity: Int) {
            sourceMap = SourceMap(encoding, sourceStart: sourceStart)
            utf8.reserveCapacity(capacity)
        }

        mutating func append(_ scalar: Unicode.Scalar, at sourceOffset: Int) {
            if utf8.count >= nextMark {
                sourceMap.append(textOffset: utf8.count, sourceOffset: sourceOffset)
                nextMark += SourceMap.markDistance
            }
            utf8.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
        }

        func extractedText(_ mediaType: MediaType) -> ExtractedText {
            ExtractedText(
                String(decoding: utf8, as: UTF8.self), mediaType: mediaType, sourceMap: sourceMap)
        }
    }
}
