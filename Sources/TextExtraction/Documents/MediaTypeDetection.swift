import CMagic

/// Which type a file is, by its content first and its name second.
///
/// What the bytes say for certain counts: a PDF is one under any name, and a web page that was
/// saved as `.pdf` is a web page. Among types that are all plain text, which bytes cannot tell
/// apart, the name decides; then libmagic.
enum MediaTypeDetection {
    /// How many of the first bytes are looked at.
    static let startByteCount = 1 << 16

    /// - Parameters:
    ///   - name: the file's name or path.
    /// - Throws: `unsupported` with what the file is, `binary` where nobody knows.
    static func mediaType(
        of file: SourceFile, name: String, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> MediaType {
        let start = try file.start(startByteCount)
        let named = MediaType(named: name)
        if start.starts(with: "PK\u{3}\u{4}".utf8) || start.starts(with: "PK\u{5}\u{6}".utf8) {
            return try packed(file, named, limits, deadline)
        }
        if let certain = certainType(start) { return certain }
        if isText(start) { return try textType(start, named) }
        if start.starts(with: [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]) {
            return try compound(start, named)
        }
        if let named, named.isContainer {
            throw start.isEmpty
                ? .empty : .damaged(named, reason: "it does not begin as one does")
        }
        let known = try libmagic(start)
        guard let known, known != "application/octet-stream", !known.hasPrefix("text/") else {
            throw .binary
        }
        throw .unsupported(MediaType(rawValue: known))
    }

    private static func certainType(_ start: [UInt8]) -> MediaType? {
        // Some writers put something before the header (ISO 32000-1, H.3, note 13).
        if start.prefix(1024).firstRange(of: Array("%PDF-".utf8)) != nil { return .pdf }
        if start.starts(with: "{\\rtf".utf8) { return .rtf }
        return nil
    }

    private static func textType(
        _ start: [UInt8], _ named: MediaType?
    ) throws(ExtractionError) -> MediaType {
        if named == .markdown || named == .html { return named ?? .html }
        if looksLikeHTML(start), named != .sourceCode, named != .email { return .html }
        if start.starts(with: "WEBVTT".utf8) { return .webVTT }
        if let named, !named.isContainer, named != .rtf, named != .plainText { return named }
        switch try libmagic(start) {
        case "message/rfc822", "message/news": return .email
        case "application/json": return .json
        case "application/x-ndjson": return .jsonLines
        case "application/x-subrip": return .subRip
        case "text/x-shellscript", "text/x-python", "text/x-script.python", "text/x-perl",
            "text/x-c", "text/x-c++", "text/x-java", "text/x-ruby", "text/x-lua", "text/x-makefile":
            return named ?? .sourceCode
        default: return .plainText
        }
    }

    /// ZIP archives: which document it is, by the files in it.
    private static func packed(
        _ file: SourceFile, _ named: MediaType?, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> MediaType {
        let isPacked = [MediaType.docx, .pptx, .odt, .odp, .epub].contains(named)
        let archive = try Archive(file, isPacked ? named ?? .zip : .zip, limits, deadline) { name in
            name == "mimetype" || name == "[Content_Types].xml"
        }
        if let bytes = archive["mimetype"] {
            let text = String(decoding: bytes.prefix(256), as: UTF8.self).onOneLine
            let type = MediaType(rawValue: text)
            if [.odt, .odp, .epub].contains(type) { return type }
            if text.hasPrefix("application/") { throw .unsupported(type) }
        }
        if let bytes = archive["[Content_Types].xml"] {
            for (mark, type) in [
                ("wordprocessingml.document.main", MediaType.docx),
                ("wordprocessingml.template.main", .docx), ("ms-word.document.macro", .docx),
                ("presentationml.presentation.main", .pptx),
                ("presentationml.slideshow.main", .pptx), ("ms-powerpoint.presentation", .pptx),
                ("spreadsheetml.sheet.main", .xlsx),
            ] where bytes.firstRange(of: Array(mark.utf8)) != nil {
                return type
            }
        }
        if let named, isPacked {
            throw .damaged(named, reason: "what it is made of is not in the archive")
        }
        return .zip
    }

    /// Compound files: old office documents, and new ones that are encrypted ([MS-OFFCRYPTO]).
    private static func compound(
        _ start: [UInt8], _ named: MediaType?
    ) throws(ExtractionError) -> MediaType {
        let mark: [UInt8] = "EncryptedPackage".utf8.flatMap { [$0, UInt8(0)] }
        if named == .docx || named == .pptx || start.firstRange(of: mark) != nil {
            throw .encrypted
        }
        throw .unsupported(MediaType(rawValue: try libmagic(start) ?? "application/x-ole-storage"))
    }

    /// Whether bytes may be text: UTF-16, or none of the controls that text does not have.
    static func isText(_ start: [UInt8]) -> Bool {
        if start.starts(with: [0xFF, 0xFE]) || start.starts(with: [0xFE, 0xFF]) { return true }
        if UTF16Decoder.byteOrder(withoutMark: start) != nil { return true }
        if start.contains(0) { return false }
        let controls = start.count { $0 < 0x20 && !(0x07...0x0D).contains($0) && $0 != 0x1B }
        return controls * 20 <= start.count
    }

    static func looksLikeHTML(_ start: [UInt8]) -> Bool {
        // Of UTF-16 the zeros go.
        let visible = start.prefix(2048).filter { $0 != 0 }
            .drop { $0 <= 0x20 || $0 == 0xEF || $0 == 0xBB || $0 == 0xBF || $0 >= 0xFE }
        let lowered = visible.prefix(1024).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        if lowered.starts(with: "<!doctype html".utf8) || lowered.starts(with: "<html".utf8) {
            return true
        }
        // XHTML may begin as XML does.
        return lowered.starts(with: "<?xml".utf8)
            && lowered.firstRange(of: Array("<html".utf8)) != nil
    }

    /// What libmagic takes the bytes for.
    private static func libmagic(_ start: [UInt8]) throws(ExtractionError) -> String? {
        let library = try Libraries.magic.loaded()
        guard let magic = library.magic_open(MAGIC_MIME_TYPE) else { return nil }
        defer { library.magic_close(magic) }
        guard library.magic_load(magic, nil) == 0 else { return nil }
        let name = start.withUnsafeBytes { library.magic_buffer(magic, $0.baseAddress, $0.count) }
        return name.map { String(cString: $0) }
    }
}

extension Collection where Element == UInt8, Index == Int {
    /// The first place of a run of bytes.
    func firstRange(of run: [UInt8]) -> Range<Int>? {
        guard let first = run.first, count >= run.count else { return nil }
        var i = startIndex
        let last = endIndex - run.count
        while i <= last {
            if self[i] == first, self[i..<i + run.count].elementsEqual(run) {
                return i..<i + run.count
            }
            i += 1
        }
        return nil
    }
}
