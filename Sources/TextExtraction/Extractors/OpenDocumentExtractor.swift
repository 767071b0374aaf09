/// ODT and ODP (OpenDocument 1.2): headings, paragraphs, tables, notes; slides with their notes.
enum OpenDocumentExtractor {
    static func extract(
        _ archive: Archive, _ type: MediaType, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        if let manifest = archive["META-INF/manifest.xml"],
            manifest.firstRange(of: Array("encryption-data".utf8)) != nil
        {
            throw .encrypted
        }
        guard let content = archive["content.xml"] else {
            throw .damaged(type, reason: "its content is not there")
        }
        var builder = DocumentBuilder(maximumByteCount: limits.textByteCount)
        builder.title = try CoreProperties.title(in: archive, deadline)
        let reader = Reader(builder)
        guard try MarkupParser.parse(xml: content, reader, deadline) else {
            throw .damaged(type, reason: "its content is not well-formed XML")
        }
        return reader.builder.extractedText(type)
    }

    private final class Reader: FlowReader {
        private var skipDepth = 0
        private var bodyDepth = 0
        private var slide = 0

        private static let skipped: Set<String> = [
            "tracked-changes", "annotation-end", "forms", "sequence-decls", "note-citation",
        ]

        override func start(_ name: String, _ attributes: MarkupAttributes) {
            if name == "body" { bodyDepth += 1 }
            if Self.skipped.contains(name) { skipDepth += 1 }
            guard skipDepth == 0, bodyDepth > 0 else { return }
            switch name {
            case "page":
                slide += 1
                builder.begin(.slide, slide)
            case "h":
                let level = attributes["outline-level"].flatMap { Int($0) } ?? 1
                beginParagraph(level: min(6, max(1, level)))
            case "p": beginParagraph()
            case "s":
                let count = attributes["c"].flatMap { Int($0) } ?? 1
                add(repeatElement(0x20, count: min(max(count, 1), 64)))
            case "tab": add([0x20])
            case "line-break": add([0x0A])
            case "table": beginTable()
            case "table-row": beginRow()
            case "table-cell": beginCell()
            default: break
            }
        }

        override func end(_ name: String) {
            if name == "body" { bodyDepth -= 1 }
            if Self.skipped.contains(name) { skipDepth -= 1 }
            guard skipDepth == 0, bodyDepth > 0 else { return }
            switch name {
            case "h", "p": endParagraph()
            case "table-cell": endCell()
            case "table": endTable()
            default: break
            }
        }

        override func text(_ text: UnsafeBufferPointer<UInt8>) {
            if skipDepth == 0 { add(text) }
        }
    }
}
