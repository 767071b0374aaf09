/// Which pages, lines and parts the offsets of a text belong to.
struct PlaceMarks: Sendable {
    enum Kind: Int, Sendable, CaseIterable {
        case page
        case slide
        case line
        case millisecond
        case chapter
        case part
    }

    private struct Mark: Sendable {
        /// The text from here on, up to the next mark of the kind.
        var offset: Int
        var first: Int32
        var last: Int32
    }

    /// By kind; ascending.
    private var marks: [[Mark]] = Array(repeating: [], count: Kind.allCases.count)
    /// What chapters and parts are called.
    private var names: [String] = []

    var isEmpty: Bool { marks.allSatisfy(\.isEmpty) }

    /// Notes what the text from an offset on belongs to; to be called in ascending order.
    mutating func append(_ kind: Kind, _ range: ClosedRange<Int>, at offset: Int) {
        marks[kind.rawValue].append(
            Mark(
                offset: offset, first: Int32(clamping: range.lowerBound),
                last: Int32(clamping: range.upperBound)))
    }

    /// The same for what has a name; nil ends it.
    mutating func append(_ kind: Kind, named name: String?, at offset: Int) {
        var index = -1
        if let name {
            if names.last != name { names.append(name) }
            index = names.count - 1
        }
        append(kind, index...index, at: offset)
    }

    /// What a part of the text belongs to; its headings are not known here.
    func place(of range: Range<Int>) -> SourcePlace {
        SourcePlace(
            pages: numbers(.page, range), slides: numbers(.slide, range),
            lines: numbers(.line, range), milliseconds: numbers(.millisecond, range),
            chapter: name(.chapter, range), part: name(.part, range))
    }

    private func numbers(_ kind: Kind, _ range: Range<Int>) -> ClosedRange<Int>? {
        let marks = marks[kind.rawValue]
        guard let start = last(marks, notBehind: range.lowerBound) else { return nil }
        let end = last(marks, notBehind: max(range.lowerBound, range.upperBound - 1)) ?? start
        let first = Int(marks[start].first)
        guard first >= 0 else { return nil }
        return first...max(first, Int(marks[end].last))
    }

    private func name(_ kind: Kind, _ range: Range<Int>) -> String? {
        let marks = marks[kind.rawValue]
        guard let index = last(marks, notBehind: range.lowerBound), marks[index].first >= 0 else {
            return nil
        }
        return names[Int(marks[index].first)]
    }

    private func last(_ marks: [Mark], notBehind offset: Int) -> Int? {
        var (low, high) = (0, marks.count)
        while low < high {
            let middle = (low + high) / 2
            if marks[middle].offset <= offset { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }
}
