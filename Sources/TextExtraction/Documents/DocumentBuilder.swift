/// Puts a document's text together, block by block, with the places that it comes from.
struct DocumentBuilder {
    private var utf8: [UInt8] = []
    private(set) var blocks: [TextBlock] = []
    private var marks = PlaceMarks()
    private let maximumByteCount: Int
    /// Where the headings start that nothing else has followed yet.
    private var headingStart: Int?
    /// What the document calls itself.
    var title: String?

    /// - Parameter maximumByteCount: of text; more is an error.
    init(maximumByteCount: Int) { self.maximumByteCount = maximumByteCount }

    var hasText: Bool { !blocks.isEmpty }

    /// What follows belongs to a page, a slide, lines or a stretch of time.
    mutating func begin(_ kind: PlaceMarks.Kind, _ range: ClosedRange<Int>) {
        marks.append(kind, range, at: start)
    }

    mutating func begin(_ kind: PlaceMarks.Kind, _ number: Int) { begin(kind, number...number) }

    /// What follows belongs to a chapter or part; nil: to none.
    mutating func begin(_ kind: PlaceMarks.Kind, named name: String?) {
        marks.append(kind, named: name, at: start)
    }

    /// Where the next block will start.
    private var start: Int { utf8.isEmpty ? 0 : utf8.count + 2 }

    /// Adds a block; white space around it goes, and one of nothing else is none.
    ///
    /// - Parameter line: the line of the file that it starts in.
    mutating func append(
        _ text: String, _ kind: TextBlock.Kind = .paragraph, lines: ClosedRange<Int>? = nil
    ) throws(ExtractionError) {
        let trimmed = text.trimmed
        guard !trimmed.isEmpty else { return }
        guard utf8.count + trimmed.utf8.count <= maximumByteCount else {
            throw .tooMuchText(limit: maximumByteCount)
        }
        if let lines { marks.append(.line, lines, at: start) }
        if !utf8.isEmpty { utf8 += [0x0A, 0x0A] }
        let range = utf8.count..<utf8.count + trimmed.utf8.count
        utf8 += trimmed.utf8
        let block = TextBlock(range: range, kind: kind, leadStart: headingStart ?? range.lowerBound)
        blocks.append(block)
        headingStart = block.isHeading ? block.leadStart : nil
    }

    /// The rows of a table, a line each.
    mutating func append(
        rows: [[String]], lines: ClosedRange<Int>? = nil
    ) throws(ExtractionError) {
        let text = rows.map { row in row.map(\.onOneLine).joined(separator: " | ") }
        try append(text.joined(separator: "\n"), .table, lines: lines)
    }

    /// Adds what another document holds, after it the place is as before.
    mutating func append(_ other: ExtractedText) throws(ExtractionError) {
        let text = other.text.utf8
        guard let blocks = other.blocks else { return try append(other.text) }
        for block in blocks {
            let from = text.index(text.startIndex, offsetBy: block.range.lowerBound)
            let to = text.index(from, offsetBy: block.range.count)
            try append(String(other.text[from..<to]), block.kind)
        }
    }

    func extractedText(_ mediaType: MediaType) -> ExtractedText {
        ExtractedText(
            String(decoding: utf8, as: UTF8.self), mediaType: mediaType, sourceMap: nil,
            title: title.flatMap { $0.onOneLine.isEmpty ? nil : $0.onOneLine }, blocks: blocks,
            marks: marks)
    }
}

extension String {
    /// Without white space and NULs around.
    var trimmed: Substring {
        func isBlank(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.isWhitespace || scalar.value == 0 || scalar.value == 0xFEFF
        }
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { !isBlank($0) }),
            let last = scalars.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return self[first..<scalars.index(after: last)]
    }

    /// Each run of white space as one space, none around.
    var onOneLine: String {
        unicodeScalars.split { $0.properties.isWhitespace }
            .map { String(String.UnicodeScalarView($0)) }.joined(separator: " ")
    }
}
