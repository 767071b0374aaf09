/// Makes blocks of a web page: headings, paragraphs, code, tables; what is not shown, navigation
/// and what stands around the main text are left out.
final class HTMLReader: MarkupHandler {
    private struct Block {
        var text: String
        var kind: TextBlock.Kind
        var lines: ClosedRange<Int>
        var isMain: Bool
    }

    private enum Role {
        case skipped
        case main
        case code
        case table
        case other
    }

    private var blocks: [Block] = []
    private var stack: [(name: String, role: Role)] = []
    private var skipDepth = 0
    private var mainDepth = 0
    private var codeDepth = 0
    private var text: [UInt8] = []
    private var firstLine = 0
    private var title: [UInt8] = []
    private var isInTitle = false
    /// The rows of the innermost table that holds no more than text.
    private var rows: [[String]]?
    private var tableLine = 0

    /// Whether a line break ends a paragraph, for writers that know nothing else.
    private let breaksParagraphs: Bool

    init(breaksParagraphs: Bool = false) { self.breaksParagraphs = breaksParagraphs }

    override func start(_ name: String, _ attributes: MarkupAttributes) {
        // XHTML is read as XML, which keeps case.
        let name = name.lowercased()
        let role = role(name, attributes)
        stack.append((name, role))
        if name == "title", stack.count < 5, title.isEmpty { isInTitle = true }
        if role == .skipped { skipDepth += 1 }
        guard skipDepth == 0 else { return }
        if role == .main { mainDepth += 1 }
        switch name {
        case "br": breaksParagraphs && rows == nil ? flush() : append("\n")
        case "table":
            flushTable()
            flush()
            (rows, tableLine) = ([], line)
        case "tr":
            if rows != nil { rows?.append([]) } else { flush() }
            text.removeAll(keepingCapacity: true)
        case "td", "th": if rows == nil { flush() } else { text.removeAll(keepingCapacity: true) }
        case "pre":
            leaveTable()
            flush()
            codeDepth += 1
        case "h1", "h2", "h3", "h4", "h5", "h6":
            leaveTable()
            flush()
        default:
            if Self.isBlock(name) { rows == nil ? flush() : append(" ") }
        }
    }

    override func end(_ name: String) {
        let name = name.lowercased()
        guard let index = stack.lastIndex(where: { $0.name == name }) else { return }
        while stack.count > index { close(stack.removeLast()) }
    }

    private func close(_ element: (name: String, role: Role)) {
        if element.name == "title" { isInTitle = false }
        if element.role == .skipped {
            skipDepth -= 1
            return
        }
        guard skipDepth == 0 else { return }
        switch element.name {
        case "td", "th":
            if rows == nil {
                flush()
            } else {
                let cell = String(decoding: text, as: UTF8.self).onOneLine
                text.removeAll(keepingCapacity: true)
                append(cell: cell)
            }
        case "table": flushTable()
        case "pre":
            flush(.code)
            codeDepth = max(0, codeDepth - 1)
        case "h1", "h2", "h3", "h4", "h5", "h6":
            flush(.heading(level: Int(element.name.utf8.last ?? 0x31) - 0x30))
        default:
            if Self.isBlock(element.name) { rows == nil ? flush() : append(" ") }
        }
        if element.role == .main { mainDepth -= 1 }
    }

    override func text(_ part: UnsafeBufferPointer<UInt8>) {
        if isInTitle { title += part }
        guard skipDepth == 0, !isInTitle else { return }
        if codeDepth > 0 {
            if text.isEmpty { firstLine = line }
            text += part
            return
        }
        for byte in part {
            if byte == 0x20 || (0x09...0x0D).contains(byte) {
                if let last = text.last, last != 0x20, last != 0x0A { text.append(0x20) }
            } else {
                if text.isEmpty { firstLine = line }
                text.append(byte)
            }
        }
    }

    private func append(cell: String) {
        guard let count = rows?.count else { return }
        if count == 0 { rows = [[cell]] } else { rows?[count - 1].append(cell) }
    }

    private func append(_ string: StaticString) {
        guard !text.isEmpty else { return }
        text.append(string.utf8Start.pointee)
    }

    private func flush(_ kind: TextBlock.Kind = .paragraph) {
        guard !text.isEmpty else { return }
        let string = String(decoding: text, as: UTF8.self)
        text.removeAll(keepingCapacity: true)
        if string.trimmed.isEmpty { return }
        let isHeading = if case .heading = kind { true } else { false }
        blocks.append(
            Block(
                text: isHeading ? string.onOneLine.withoutPilcrow : string, kind: kind,
                lines: firstLine...max(firstLine, line), isMain: mainDepth > 0))
    }

    private func flushTable() {
        guard let rows else { return }
        self.rows = nil
        text.removeAll(keepingCapacity: true)
        let cells = rows.map { $0.filter { !$0.isEmpty } }.filter { !$0.isEmpty }
        guard !cells.isEmpty else { return }
        // One cell a row is layout: paragraphs.
        if cells.allSatisfy({ $0.count == 1 }) {
            for row in cells { block(row[0], .paragraph) }
        } else {
            block(cells.map { $0.joined(separator: " | ") }.joined(separator: "\n"), .table)
        }
    }

    private func block(_ text: String, _ kind: TextBlock.Kind) {
        blocks.append(
            Block(
                text: text, kind: kind, lines: tableLine...max(tableLine, line),
                isMain: mainDepth > 0))
    }

    /// A table with headings or code in it is layout.
    private func leaveTable() {
        guard rows != nil else { return }
        let open = text
        flushTable()
        text = open
        flush()
    }

    private func role(_ name: String, _ attributes: MarkupAttributes) -> Role {
        if Self.skippedElements.contains(name) { return .skipped }
        if attributes["hidden"] != nil || attributes["aria-hidden"] == "true" { return .skipped }
        if let style = attributes["style"]?.lowercased() {
            let compact = style.filter { !$0.isWhitespace }
            if compact.contains("display:none") || compact.contains("visibility:hidden") {
                return .skipped
            }
        }
        let role = attributes["role"]
        if let role, Self.skippedRoles.contains(role) { return .skipped }
        if name == "footer", mainDepth == 0 { return .skipped }
        if name == "main" || name == "article" || role == "main" { return .main }
        if Self.isBlock(name), name != "body", name != "p" {
            let classes = (attributes["class"] ?? "").split(separator: " ").map { $0.lowercased() }
            let id = attributes["id"]?.lowercased() ?? ""
            if classes.contains(where: Self.skippedClasses.contains)
                || Self.skippedClasses.contains(id)
            {
                return .skipped
            }
        }
        return .other
    }

    private static let skippedElements: Set<String> = [
        "script", "style", "noscript", "template", "nav", "aside", "svg", "math", "iframe",
        "object",
        "button", "select", "textarea", "canvas", "audio", "video", "map", "dialog", "menu",
    ]

    private static let skippedRoles: Set<String> = [
        "navigation", "banner", "contentinfo", "search", "menu", "menubar", "complementary",
        "dialog", "toolbar",
    ]

    /// What pages from before HTML5 call their navigation.
    private static let skippedClasses: Set<String> = [
        "nav", "navbar", "navigation", "navheader", "navfooter", "menu", "sidebar", "breadcrumb",
        "breadcrumbs", "sphinxsidebar", "related", "footer", "page-footer", "site-footer",
        "site-header", "cookie-banner", "pagination", "skip-link",
    ]

    private static func isBlock(_ name: String) -> Bool { blockElements.contains(name) }

    private static let blockElements: Set<String> = [
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details",
        "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr",
        "li", "main", "ol", "p", "section", "summary", "tbody", "tfoot", "thead", "ul",
    ]

    /// The first heading, else what the page calls itself.
    var heading: String? {
        for block in blocks { if case .heading = block.kind { return block.text } }
        let title = String(decoding: title, as: UTF8.self).onOneLine
        return title.isEmpty ? nil : title
    }

    /// Writes what was read.
    ///
    /// - Parameter hasLines: whether the parser's lines are the file's.
    func write(into builder: inout DocumentBuilder, hasLines: Bool) throws(ExtractionError) {
        flushTable()
        flush()
        if builder.title == nil { builder.title = String(decoding: title, as: UTF8.self) }
        let mainCount = blocks.reduce(0) { $0 + ($1.isMain ? $1.text.utf8.count : 0) }
        // A main part with next to nothing in it is a shell.
        let onlyMain = mainCount >= Self.minimumMainByteCount
        for block in blocks where block.isMain || !onlyMain {
            try builder.append(block.text, block.kind, lines: hasLines ? block.lines : nil)
        }
    }

    private static let minimumMainByteCount = 100
}

extension String {
    /// Without the mark that links to a heading.
    fileprivate var withoutPilcrow: String {
        hasSuffix("¶") || hasSuffix("\u{F0C1}") ? String(dropLast()) : self
    }
}
