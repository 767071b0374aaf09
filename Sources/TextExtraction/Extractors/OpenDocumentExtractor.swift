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

    private final class Reader: MarkupHandler {
        var builder: DocumentBuilder
        /// A note or a text box stands within a paragraph.
        private var paragraphs: [(text: [UInt8], level: Int?)] = []
        private var tables: [[[String]]] = []
        private var cell: [String] = []
        private var skipDepth = 0
        private var bodyDepth = 0
        private var slide = 0

        init(_ builder: DocumentBuilder) { self.builder = builder }

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
                paragraphs.append(([], min(6, max(1, level))))
            case "p": paragraphs.append(([], nil))
            case "s":
                let count = attributes["c"].flatMap { Int($0) } ?? 1
                add(Array(repeating: 0x20, count: min(max(count, 1), 64)))
            case "tab": add([0x20])
            case "line-break": add([0x0A])
            case "table": tables.append([])
            case "table-row": if !tables.isEmpty { tables[tables.count - 1].append([]) }
            case "table-cell": cell = []
            default: break
            }
        }

        override func end(_ name: String) {
            if name == "body" { bodyDepth -= 1 }
            if Self.skipped.contains(name) { skipDepth -= 1 }
            guard skipDepth == 0, bodyDepth > 0 else { return }
            switch name {
            case "h", "p": endParagraph()
            case "table-cell":
                guard let last = tables.last, !last.isEmpty else { return }
                tables[tables.count - 1][last.count - 1].append(cell.joined(separator: " "))
                cell = []
            case "table":
                guard let rows = tables.popLast() else { return }
                if tables.isEmpty {
                    attempt { () throws(ExtractionError) in try builder.append(rows: rows) }
                } else {
                    cell += rows.map { $0.joined(separator: " ") }
                }
            default: break
            }
        }

        override func text(_ text: UnsafeBufferPointer<UInt8>) {
            guard skipDepth == 0, !paragraphs.isEmpty else { return }
            paragraphs[paragraphs.count - 1].text += text
        }

        private func add(_ bytes: [UInt8]) {
            guard !paragraphs.isEmpty else { return }
            paragraphs[paragraphs.count - 1].text += bytes
        }

        private func endParagraph() {
            guard let paragraph = paragraphs.popLast() else { return }
            let text = String(decoding: paragraph.text, as: UTF8.self)
            if !tables.isEmpty {
                if !text.trimmed.isEmpty { cell.append(text) }
                return
            }
            attempt { () throws(ExtractionError) in
                if let level = paragraph.level {
                    try builder.append(text.onOneLine, .heading(level: level))
                } else {
                    try builder.append(text)
                }
            }
        }
    }
}
