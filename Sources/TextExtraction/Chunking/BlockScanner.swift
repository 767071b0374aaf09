/// A part of a text that is kept together if possible. White space between blocks is in none.
struct TextBlock: Equatable {
    enum Kind: Equatable {
        case paragraph
        case heading(level: Int)
        case fencedCode
        /// Of a page, or a function of a source file.
        case code
        case table
        /// A line of a large table, a cue of subtitles: many make a chunk.
        case row
        /// A value of JSON.
        case record
    }

    var range: Range<Int>
    var kind: Kind
    /// Where the headings right before the block start, if there are any; else its own start. A
    /// chunk may start at a block only where both are the same.
    var leadStart: Int

    var isHeading: Bool { if case .heading = kind { true } else { false } }
    /// Whether it is not cut where it fits a window.
    var isKeptWhole: Bool {
        switch kind {
        case .fencedCode, .code, .table, .record: true
        case .paragraph, .heading, .row: false
        }
    }
    var followsHeading: Bool { leadStart < range.lowerBound }
}

/// Finds blocks: paragraphs between blank lines; in Markdown headings, fenced code (CommonMark
/// 0.31.2, 4.2, 4.3 and 4.5) and tables (GitHub Flavored Markdown, 4.10); in source code what
/// stands between blank lines that something at no indent follows.
///
/// Fences may stand at any indent, as they do in lists. Other structure makes no difference here.
struct BlockScanner {
    enum Style {
        case plain
        case markdown
        case code
    }

    private enum Line {
        case blank
        case text
        /// `# Heading`
        case heading(level: Int)
        /// The line under a heading.
        case underline(level: Int)
        case fence(Fence)
    }

    private struct Fence {
        var mark: UInt8
        var length: Int
        /// No info string follows, so that it may close code.
        var isBare: Bool
    }

    private let text: UTF8Text
    private let style: Style
    private var position = 0
    /// Where the headings start that nothing else has followed yet.
    private var headingStart: Int?

    init(_ text: UTF8Text, _ style: Style) {
        self.text = text
        self.style = style
    }

    /// The next block, up to the end of its last line; nil after the last.
    mutating func next() -> TextBlock? {
        var paragraph: Range<Int>?
        while position < text.count {
            let line = position..<lineEnd(from: position)
            let kind = classify(line)
            // Whatever is no text ends a paragraph and is seen again.
            switch kind {
            case .blank:
                position = line.upperBound
                if let paragraph, !goesOn() { return end(of: paragraph) }
            case .text:
                position = line.upperBound
                paragraph = (paragraph?.lowerBound ?? line.lowerBound)..<line.upperBound
            case .underline(let level):
                position = line.upperBound
                guard let start = paragraph?.lowerBound else {
                    paragraph = line
                    continue
                }
                return block(start..<line.upperBound, .heading(level: level))
            case .heading(let level):
                if let paragraph { return end(of: paragraph) }
                position = line.upperBound
                return block(line, .heading(level: level))
            case .fence(let fence):
                if let paragraph { return end(of: paragraph) }
                position = line.upperBound
                skipCode(fence)
                return block(line.lowerBound..<position, .fencedCode)
            }
        }
        return paragraph.map { end(of: $0) }
    }

    private mutating func end(of paragraph: Range<Int>) -> TextBlock {
        switch style {
        case .plain: block(paragraph, .paragraph)
        case .markdown: block(paragraph, isTable(paragraph) ? .table : .paragraph)
        case .code: block(paragraph, .code)
        }
    }

    /// Whether what follows blank lines of source code belongs to what stands before: it is indented,
    /// or closes a bracket.
    private func goesOn() -> Bool {
        guard style == .code else { return false }
        var i = position
        var lineStart = position
        while i < text.count, text.bytes[i] <= 0x20 {
            if text.bytes[i] == 0x0A || text.bytes[i] == 0x0D { lineStart = i + 1 }
            i += 1
        }
        return i < text.count && (i > lineStart || ")]}".utf8.contains(text.bytes[i]))
    }

    /// Whether the second line is that between a table's head and its rows.
    private func isTable(_ paragraph: Range<Int>) -> Bool {
        let second = lineEnd(from: paragraph.lowerBound)
        guard second < paragraph.upperBound else { return false }
        let line = text.bytes[second..<lineEnd(from: second)]
        return line.contains(UInt8(ascii: "-")) && line.contains(UInt8(ascii: "|"))
            && line.allSatisfy { "|:- \t\r\n".utf8.contains($0) }
    }

    private mutating func block(_ range: Range<Int>, _ kind: TextBlock.Kind) -> TextBlock {
        let block = TextBlock(
            range: range, kind: kind, leadStart: headingStart ?? range.lowerBound)
        headingStart = block.isHeading ? block.leadStart : nil
        return block
    }

    /// Moves behind the fence that closes code, or to the end of the text.
    private mutating func skipCode(_ opening: Fence) {
        while position < text.count {
            let line = position..<lineEnd(from: position)
            position = line.upperBound
            if case .fence(let fence) = classify(line), fence.isBare,
                fence.mark == opening.mark, fence.length >= opening.length
            {
                return
            }
        }
    }

    /// The offset behind a line and its end: LF, CRLF or CR.
    private func lineEnd(from start: Int) -> Int {
        var i = start
        while i < text.count {
            let byte = text.bytes[i]
            i += 1
            if byte == 0x0A { return i }
            if byte == 0x0D { return i < text.count && text.bytes[i] == 0x0A ? i + 1 : i }
        }
        return i
    }

    private func classify(_ line: Range<Int>) -> Line {
        let start = text.skipWhitespace(line)
        guard start < line.upperBound else { return .blank }
        guard style == .markdown else { return .text }
        let mark = text.bytes[start]
        guard "#=-`~".utf8.contains(mark) else { return .text }
        let end = text.bytes[start..<line.upperBound].firstIndex { $0 != mark } ?? line.upperBound
        let length = end - start
        let rest = text.skipWhitespace(end..<line.upperBound)
        let isBare = rest == line.upperBound
        switch mark {
        case UInt8(ascii: "`"), UInt8(ascii: "~"):
            guard length >= 3, mark != 0x60 || !text.bytes[end..<line.upperBound].contains(0x60)
            else { return .text }
            return .fence(Fence(mark: mark, length: length, isBare: isBare))
        case UInt8(ascii: "#"):
            let isHeading = length <= 6 && (isBare || " \t".utf8.contains(text.bytes[end]))
            return isHeading && isNotIndented(line, start) ? .heading(level: length) : .text
        default:
            guard isBare, isNotIndented(line, start) else { return .text }
            return .underline(level: mark == UInt8(ascii: "=") ? 1 : 2)
        }
    }

    /// Up to three spaces are no indent.
    private func isNotIndented(_ line: Range<Int>, _ start: Int) -> Bool {
        start - line.lowerBound <= 3
            && text.bytes[line.lowerBound..<start].allSatisfy { $0 == 0x20 }
    }
}
