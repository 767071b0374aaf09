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

    private final class BodyReader: FlowReader {
        private let levels: [String: Int]
        private var isInText = false
        private var skipDepth = 0

        init(_ levels: [String: Int], _ builder: DocumentBuilder) {
            self.levels = levels
            super.init(builder)
        }

        /// The same once more for old readers; and what was deleted.
        private static let skipped: Set<String> = ["Fallback", "del", "moveFrom"]

        override func start(_ name: String, _ attributes: MarkupAttributes) {
            if Self.skipped.contains(name) { skipDepth += 1 }
            guard skipDepth == 0 else { return }
            switch name {
            case "p": beginParagraph()
            case "pStyle": setLevel(attributes["val"].flatMap { levels[$0] })
            case "outlineLvl":
                let level = attributes["val"].flatMap { Int($0) }
                if let level, level < 9 { setLevel(min(6, level + 1)) }
            case "t": isInText = true
            case "tab": add(" ".utf8)
            case "br", "cr": add("\n".utf8)
            case "noBreakHyphen": add("-".utf8)
            case "tbl": beginTable()
            case "tr": beginRow()
            case "tc": beginCell()
            default: break
            }
        }

        override func end(_ name: String) {
            if Self.skipped.contains(name) { skipDepth -= 1 }
            guard skipDepth == 0 else { return }
            switch name {
            case "t": isInText = false
            case "p": endParagraph()
            case "tc": endCell()
            case "tbl": endTable()
            default: break
            }
        }

        override func text(_ text: UnsafeBufferPointer<UInt8>) {
            if isInText, skipDepth == 0 { add(text) }
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
