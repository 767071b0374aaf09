/// Headings, paragraphs and tables of a text document, as its markup tells them.
class FlowReader: MarkupHandler {
    var builder: DocumentBuilder
    /// A note or a text box stands within a paragraph, and has paragraphs.
    private var paragraphs: [(text: [UInt8], level: Int?)] = []
    private var tables = NestedTables()

    init(_ builder: DocumentBuilder) { self.builder = builder }

    /// Begins a paragraph, or a heading with a level.
    final func beginParagraph(level: Int? = nil) { paragraphs.append(([], level)) }

    final func setLevel(_ level: Int?) {
        guard !paragraphs.isEmpty else { return }
        paragraphs[paragraphs.count - 1].level = level
    }

    final func add(_ text: some Collection<UInt8>) {
        guard !paragraphs.isEmpty else { return }
        paragraphs[paragraphs.count - 1].text += text
    }

    final func endParagraph() {
        guard let paragraph = paragraphs.popLast() else { return }
        let text = String(decoding: paragraph.text, as: UTF8.self)
        guard tables.isEmpty else {
            tables.append(text)
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

    final func beginTable() { tables.begin() }
    final func beginRow() { tables.beginRow() }
    final func beginCell() { tables.beginCell() }
    final func endCell() { tables.endCell() }

    final func endTable() {
        guard let rows = tables.end() else { return }
        attempt { () throws(ExtractionError) in try builder.append(rows: rows) }
    }
}
