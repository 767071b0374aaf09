/// Where in a document a part of its text stands, in the words that a person looks it up by.
public struct SourcePlace: Sendable, Equatable, Codable {
    /// From 1.
    public var pages: ClosedRange<Int>?
    /// From 1.
    public var slides: ClosedRange<Int>?
    /// Lines of the source file, from 1.
    public var lines: ClosedRange<Int>?
    /// From the start of a recording, in milliseconds.
    public var milliseconds: ClosedRange<Int>?
    /// The chapter of a book.
    public var chapter: String?
    /// The file within the file: of a book, or attached to a message.
    public var part: String?
    /// The headings above, the outermost first.
    public var headings: [String]

    public init(
        pages: ClosedRange<Int>? = nil, slides: ClosedRange<Int>? = nil,
        lines: ClosedRange<Int>? = nil, milliseconds: ClosedRange<Int>? = nil,
        chapter: String? = nil, part: String? = nil, headings: [String] = []
    ) {
        self.pages = pages
        self.slides = slides
        self.lines = lines
        self.milliseconds = milliseconds
        self.chapter = chapter
        self.part = part
        self.headings = headings
    }

    /// For people: `page 3`, `slides 2–4`, `lines 10–25`, `0:01:02–0:01:09`.
    public var label: String? {
        var labels: [String] = []
        func add(_ name: String, _ range: ClosedRange<Int>?) {
            guard let range else { return }
            let first = range.lowerBound
            let last = range.upperBound
            labels.append(first == last ? "\(name) \(first)" : "\(name)s \(first)–\(last)")
        }
        add("page", pages)
        add("slide", slides)
        if let chapter { labels.append(chapter) }
        if let part, chapter == nil { labels.append(part) }
        if let milliseconds {
            labels.append(
                Self.time(milliseconds.lowerBound) + "–" + Self.time(milliseconds.upperBound))
        } else if pages == nil, slides == nil {
            add("line", lines)
        }
        return labels.isEmpty ? nil : labels.joined(separator: ", ")
    }

    private static func time(_ milliseconds: Int) -> String {
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let seconds = milliseconds / 1000
        return "\(seconds / 3600):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
    }
}
