/// Web pages: the main text, by libxml2.
enum HTMLExtractor {
    static func extract(
        _ bytes: [UInt8], _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        let utf8 = try utf8(bytes)
        let reader = HTMLReader()
        try MarkupParser.parse(html: utf8, reader, deadline)
        var builder = DocumentBuilder(maximumByteCount: limits.textByteCount)
        try reader.write(into: &builder, hasLines: true)
        return builder.extractedText(.html)
    }

    /// A page as UTF-8, by what its bytes are and by what it declares.
    static func utf8(_ bytes: [UInt8]) throws(ExtractionError) -> [UInt8] {
        let decoded = try TextDecoder.decode(bytes, declared: declaredEncoding(bytes))
        return Array(decoded.text.utf8)
    }

    /// `charset=` in the first KiB, or the XML declaration's `encoding=` (HTML Standard, 13.2.3.2).
    private static func declaredEncoding(_ bytes: [UInt8]) -> String? {
        let start = String(decoding: bytes.prefix(1024), as: UTF8.self).lowercased()
        for mark in ["charset=", "encoding="] {
            guard let range = start.utf8.firstRange(of: mark.utf8) else { continue }
            let name = start[range.upperBound...].drop { "\"' ".contains($0) }
                .prefix { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
            if !name.isEmpty { return String(name) }
        }
        return nil
    }
}
