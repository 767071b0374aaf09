/// PPTX (ECMA-376, PresentationML): slides in the order they are shown, each with its notes.
enum PresentationExtractor {
    static func extract(
        _ archive: Archive, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        let package = try PackageRelations(of: "", in: archive, deadline)
        let main = package.first("officeDocument") ?? "ppt/presentation.xml"
        guard let presentation = archive[main] else {
            throw .damaged(.pptx, reason: "its main part is not there")
        }
        let order = OrderReader()
        guard try MarkupParser.parse(xml: presentation, order, deadline) else {
            throw .damaged(.pptx, reason: "its main part is not well-formed XML")
        }
        let relations = try PackageRelations(of: main, in: archive, deadline)
        var builder = DocumentBuilder(maximumByteCount: limits.textByteCount)
        builder.title = try CoreProperties.title(in: archive, deadline)
        for (index, id) in order.slideIDs.enumerated() {
            guard index < limits.pageCount else { throw .tooManyPages(limit: limits.pageCount) }
            guard let part = relations[id], let slide = archive[part] else { continue }
            builder.begin(.slide, index + 1)
            let reader = SlideReader(builder)
            _ = try MarkupParser.parse(xml: slide, reader, deadline)
            builder = reader.builder
            let others = try PackageRelations(of: part, in: archive, deadline)
            guard let notes = others.first("notesSlide"), let bytes = archive[notes] else {
                continue
            }
            let notesReader = SlideReader(builder, isNotes: true)
            _ = try MarkupParser.parse(xml: bytes, notesReader, deadline)
            builder = notesReader.builder
        }
        return builder.extractedText(.pptx)
    }

    private final class OrderReader: MarkupHandler {
        var slideIDs: [String] = []

        override func start(_ name: String, _ attributes: MarkupAttributes) {
            guard name == "sldId", let list = attributes.list else { return }
            // `id` has no prefix and is another.
            var pair = list
            while let key = pair[0] {
                let key = String(cString: key)
                if key.hasSuffix(":id"), let value = pair[1] {
                    slideIDs.append(String(cString: value))
                }
                pair += 2
            }
        }
    }

    private final class SlideReader: MarkupHandler {
        var builder: DocumentBuilder
        private let isNotes: Bool
        /// The kind of the present shape's placeholder; nil for none.
        private var placeholder: String?
        private var paragraph: [UInt8] = []
        private var isInText = false
        private var tables = NestedTables()
        private var skipDepth = 0

        init(_ builder: DocumentBuilder, isNotes: Bool = false) {
            self.builder = builder
            self.isNotes = isNotes
        }

        override func start(_ name: String, _ attributes: MarkupAttributes) {
            if name == "Fallback" { skipDepth += 1 }
            guard skipDepth == 0 else { return }
            switch name {
            case "sp": placeholder = nil
            case "ph": placeholder = attributes["type"] ?? "body"
            case "p": paragraph = []
            case "t": isInText = true
            case "br": paragraph.append(0x0A)
            case "tbl": tables.begin()
            case "tr": tables.beginRow()
            case "tc": tables.beginCell()
            default: break
            }
        }

        override func end(_ name: String) {
            if name == "Fallback" { skipDepth -= 1 }
            guard skipDepth == 0 else { return }
            switch name {
            case "t": isInText = false
            case "p": endParagraph()
            case "tc": tables.endCell()
            case "tbl":
                if let rows = tables.end() {
                    attempt { () throws(ExtractionError) in try builder.append(rows: rows) }
                }
            case "sp": placeholder = nil
            default: break
            }
        }

        override func text(_ text: UnsafeBufferPointer<UInt8>) {
            if isInText, skipDepth == 0 { paragraph += text }
        }

        private func endParagraph() {
            let text = String(decoding: paragraph, as: UTF8.self)
            paragraph = []
            guard tables.isEmpty else {
                tables.append(text)
                return
            }
            // What every page has: numbers, dates, footers. Of notes, the notes alone.
            if let placeholder, ["sldNum", "dt", "ftr", "hdr", "sldImg"].contains(placeholder) {
                return
            }
            let isTitle = placeholder == "title" || placeholder == "ctrTitle"
            attempt { () throws(ExtractionError) in
                if isTitle, !isNotes {
                    try builder.append(text.onOneLine, .heading(level: 2))
                } else {
                    try builder.append(text)
                }
            }
        }
    }
}
