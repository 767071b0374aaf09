/// The headings above a place in a text, the outermost first.
struct HeadingPath {
    private var headings: [(level: Int, range: Range<Int>)] = []
    private let text: UTF8Text

    init(_ text: UTF8Text) { self.text = text }

    /// Goes past a block.
    mutating func pass(_ block: TextBlock) {
        guard case .heading(let level) = block.kind else { return }
        while let last = headings.last, last.level >= level { headings.removeLast() }
        headings.append((level, block.range))
    }

    var titles: [String] { titles(before: .max) }

    /// Those that start before an offset.
    func titles(before offset: Int) -> [String] {
        headings.filter { $0.range.lowerBound < offset }.map { title($0.range) }
            .filter { !$0.isEmpty }
    }

    /// A heading's words, without Markdown's marks and not without end.
    private func title(_ range: Range<Int>) -> String {
        let end = min(range.upperBound, range.lowerBound + 400)
        var line = String(decoding: text.bytes[range.lowerBound..<end], as: UTF8.self)
            .split(whereSeparator: \.isNewline)
            .filter { line in !line.allSatisfy { "=-".contains($0) } }
            .joined(separator: " ").trimmed
        line = line.drop { $0 == "#" }
        while line.last == "#" { line.removeLast() }
        return String(String(line).onOneLine.prefix(120))
    }
}
