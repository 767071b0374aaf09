/// DOCX (ECMA-376, WordprocessingML): paragraphs, headings by their styles, tables, text boxes,
/// foot- and endnotes, comments; what was deleted under tracking is not there.
enum WordExtractor {
    static func extract(
        _ archive: Archive, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        let package = try PackageRelations(of: "", in: archive, deadline)
        let main = package.first("officeDocument") ?? "word/document.xml"
        guard let document = archive[main] else {
            throw .damaged(.docx, reason: "its main document is not there")
        }
        let relations = try PackageRelations(of: main, in: archive, deadline)
        let styles = StyleReader()
        if let part = relations.first("styles"), let bytes = archive[part] {
            _ = try MarkupParser.parse(xml: bytes, styles, deadline)
        }
        var builder = DocumentBuilder(maximumByteCount: limits.textByteCount)
        builder.title = try CoreProperties.title(in: archive, deadline)
        let reader = BodyReader(styles.levels, builder)
        guard try MarkupParser.parse(xml: document, reader, deadline) else {
            throw .damaged(.docx, reason: "its main document is not well-formed XML")
        }
        for kind in ["footnotes", "endnotes", "comments"] {
            guard let part = relations.first(kind), let bytes = archive[part] else { continue }
            _ = try MarkupParser.parse(xml: bytes, reader, deadline)
        }
        return reader.builder.extractedText(.docx)
    }

    /// Heading levels by style.
    private final class StyleReader: MarkupHandler {
        var levels: [String: Int] = [:]
        private var style = ""

        override func start(_ name: String, _ attributes: MarkupAttributes) {
            switch name {
            case "style": style = attributes["styleId"] ?? ""
            case "name":
                let value = (attributes["val"] ?? "").lowercased()
                if value == "title" { levels[style] = 1 }
                if value.hasPrefix("heading "), let level = Int(value.dropFirst(8)) {
                    levels[style] = min(6, max(1, level))
                }
            case "outlineLvl":
                if let level = attributes["val"].flatMap({ Int($0) }), level < 9,
                    levels[style] == nil
                {
                    levels[style] = min(6, level + 1)
                }
            default: break
            }
        }
    }

    private final class BodyReader: MarkupHandler {
        var builder: DocumentBuilder
        private let levels: [String: Int]
        /// A text box has paragraphs within a paragraph.
        private var paragraphs: [(text: [UInt8], level: Int?)] = []
        private var tables: [[[String]]] = []
        private var cell: [String] = []
        private var isInText = false
        private var skipDepth = 0

        init(_ levels: [String: Int], _ builder: DocumentBuilder) {
            self.levels = levels
            self.builder = builder
        }

        override func start(_ name: String, _ attributes: MarkupAttributes) {
            // The same once more for old readers; and what was deleted.
            if name == "Fallback" || name == "del" || name == "moveFrom" { skipDepth += 1 }
            guard skipDepth == 0 else { return }
            switch name {
            case "p": paragraphs.append(([], nil))
            case "pStyle": setLevel(attributes["val"].flatMap { levels[$0] })
            case "outlineLvl":
                let level = attributes["val"].flatMap { Int($0) }
                if let level, level < 9 { setLevel(min(6, level + 1)) }
            case "t": isInText = true
            case "tab": add(" ")
            case "br", "cr": add("\n")
            case "noBreakHyphen": add("-")
            case "tbl": tables.append([])
            case "tr": if !tables.isEmpty { tables[tables.count - 1].append([]) }
            case "tc": cell = []
            default: break
            }
        }

        override func end(_ name: String) {
            if name == "Fallback" || name == "del" || name == "moveFrom" { skipDepth -= 1 }
            guard skipDepth == 0 else { return }
            switch name {
            case "t": isInText = false
            case "p": endParagraph()
            case "tc":
                guard let last = tables.last, !last.isEmpty else { return }
                tables[tables.count - 1][last.count - 1].append(cell.joined(separator: " "))
                cell = []
            case "tbl":
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
            guard isInText, skipDepth == 0, !paragraphs.isEmpty else { return }
            paragraphs[paragraphs.count - 1].text += text
        }

        private func setLevel(_ level: Int?) {
            guard !paragraphs.isEmpty else { return }
            paragraphs[paragraphs.count - 1].level = level
        }

        private func add(_ text: String) {
            guard !paragraphs.isEmpty else { return }
            paragraphs[paragraphs.count - 1].text += text.utf8
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

/// The title that an office document gives itself (`docProps/core.xml`, Dublin Core).
enum CoreProperties {
    static func title(
        in archive: Archive, _ deadline: Deadline
    ) throws(ExtractionError) -> String? {
        guard let bytes = archive["docProps/core.xml"] ?? archive["meta.xml"] else { return nil }
        let reader = Reader()
        _ = try MarkupParser.parse(xml: bytes, reader, deadline)
        return String(decoding: reader.title, as: UTF8.self)
    }

    private final class Reader: MarkupHandler {
        var title: [UInt8] = []
        private var isInTitle = false
        override func start(_ name: String, _ attributes: MarkupAttributes) {
            if name == "title", title.isEmpty { isInTitle = true }
        }
        override func end(_ name: String) { if name == "title" { isInTitle = false } }
        override func text(_ text: UnsafeBufferPointer<UInt8>) { if isInTitle { title += text } }
    }
}
