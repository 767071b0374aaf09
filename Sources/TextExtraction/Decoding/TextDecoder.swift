import CUchardet

/// Bytes in whatever encoding they are → Unicode, with the way back to the bytes.
///
/// A byte order mark counts first; then what is valid UTF-8 is UTF-8, whatever is declared; UTF-16
/// without a mark shows by its zeros; then what the file declares counts; then what uchardet
/// detects; at last Windows-1252, as browsers do (WHATWG Encoding Standard).
struct TextDecoder {
    struct Decoded {
        var text: String
        var sourceMap: SourceMap
    }

    /// - Parameter declared: the encoding that the file names.
    static func decode(
        _ bytes: [UInt8], declared: String? = nil
    ) throws(ExtractionError) -> Decoded {
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            return try UTF16Decoder.decode(bytes, from: 2, isLittleEndian: bytes[0] == 0xFF)
        }
        let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        if let isLittleEndian = UTF16Decoder.byteOrder(withoutMark: bytes) {
            return try UTF16Decoder.decode(bytes, from: 0, isLittleEndian: isLittleEndian)
        }
        guard !bytes.contains(0) else { throw .binary }
        if let text = String(validating: bytes[start...], as: UTF8.self) {
            return Decoded(text: text, sourceMap: SourceMap(.utf8, sourceStart: start))
        }
        if let declared, let decoded = decodeLegacy(bytes, declared) { return decoded }
        if let name = try detect(bytes), let decoded = decodeLegacy(bytes, name) { return decoded }
        return decodeWindows1252(bytes)
    }

    private static func decodeLegacy(_ bytes: [UInt8], _ name: String) -> Decoded? {
        switch name.uppercased() {
        // As browsers take them; what is declared as UTF-8 and is not valid is another.
        case "ISO-8859-1", "WINDOWS-1252", "US-ASCII", "ASCII", "LATIN1", "CP1252":
            return decodeWindows1252(bytes)
        case "UTF-8", "UTF8", "UTF-16", "UTF-16LE", "UTF-16BE": return nil
        default: return IconvDecoder.decode(bytes, encoding: name)
        }
    }

    private static func decodeWindows1252(_ bytes: [UInt8]) -> Decoded {
        var output = DecodedText(.singleByte, sourceStart: 0, capacity: bytes.count)
        for (i, byte) in bytes.enumerated() {
            output.append(Windows1252.scalar(byte), at: i)
        }
        return output.decoded
    }

    /// What uchardet takes the bytes for. It needs more than a few to tell.
    private static func detect(_ bytes: [UInt8]) throws(ExtractionError) -> String? {
        guard bytes.lazy.filter({ $0 >= 0x80 }).prefix(minimumEvidence).count == minimumEvidence
        else { return nil }
        let library = try Libraries.uchardet.loaded()
        guard let detector = library.uchardet_new() else { return nil }
        defer { library.uchardet_delete(detector) }
        let sample = bytes.prefix(1 << 20)
        let status = sample.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { characters in
                library.uchardet_handle_data(detector, characters.baseAddress, characters.count)
            }
        }
        guard status == 0 else { return nil }
        library.uchardet_data_end(detector)
        let name = library.uchardet_get_charset(detector).map { String(cString: $0) } ?? ""
        if isLatin(name), !hasEvidence(bytes) { return nil }
        return name.isEmpty ? nil : name
    }

    /// Whether an encoding is one of the many that differ from Windows-1252 in some letters only.
    private static func isLatin(_ name: String) -> Bool {
        let name = name.uppercased()
        let scripts = ["1250", "1254", "1257", "1258"]
        return scripts.contains { name == "WINDOWS-\($0)" }
            || name.hasPrefix("ISO-8859-")
                && !["5", "6", "7", "8", "11"].contains(name.dropFirst(9))
    }

    /// Whether there are so many different letters beyond ASCII that they tell such encodings apart.
    private static func hasEvidence(_ bytes: [UInt8]) -> Bool {
        var counts = [Int](repeating: 0, count: 256)
        for byte in bytes.prefix(1 << 20) where byte >= 0x80 { counts[Int(byte)] += 1 }
        return counts.count { $0 > 1 } >= 3
    }

    /// Fewer bytes beyond ASCII than this say nothing.
    private static let minimumEvidence = 8
}

/// Text as it is decoded, with its way back.
struct DecodedText {
    private var utf8: [UInt8] = []
    private var sourceMap: SourceMap
    private var nextMark = SourceMap.markDistance
    private var scalarCount = 0

    init(_ encoding: SourceMap.Encoding, sourceStart: Int, capacity: Int) {
        sourceMap = SourceMap(encoding, sourceStart: sourceStart)
        utf8.reserveCapacity(capacity + capacity / 8)
    }

    mutating func append(_ scalar: Unicode.Scalar, at sourceOffset: Int) {
        if utf8.count >= nextMark {
            sourceMap.append(
                textOffset: utf8.count, sourceOffset: sourceOffset, scalarCount: scalarCount)
            nextMark += SourceMap.markDistance
        }
        scalarCount += 1
        utf8.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
    }

    /// What each scalar took in the file, where that is known at the end only.
    mutating func setLengths(_ lengths: [UInt8]) { sourceMap.encoding = .variable(lengths) }

    var decoded: TextDecoder.Decoded {
        TextDecoder.Decoded(text: String(decoding: utf8, as: UTF8.self), sourceMap: sourceMap)
    }
}
