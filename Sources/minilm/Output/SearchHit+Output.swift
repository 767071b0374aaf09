import EmbeddingPipeline
import JSON
import TextExtraction

extension SearchHit {
    /// - Parameter query: the number of the query among several, from 0.
    func json(rank: Int, query: Int?) -> JSONValue {
        let utf8 = Array(text.utf8)
        let words = matches.map { String(decoding: utf8[$0], as: UTF8.self) }
        var seen: Set<String> = []
        let matched = words.filter { seen.insert($0.lowercased()).inserted }
        var members: [JSONValue.Member] = []
        if let query { members.append(.init("query", .integer(query))) }
        members += [
            .init("rank", .integer(rank)),
            .init("score", .number(Double(score))),
            .init("vector_rank", .optional(vectorRank)),
            .init("keyword_rank", .optional(keywordRank)),
            .init("chunk_id", .integer(chunkID)),
            .init("material_id", .integer(materialID)),
            .init("subject", .string(subject)),
            .init("title", .string(title)),
            .init("source_path", .optional(sourcePath)),
            .init("media_type", .optional(mediaType)),
            .init("ordinal", .integer(ordinal)),
            .init("page", .optional(page)),
            .init("place", place.json),
            .init("byte_start", .optional(byteRange?.lowerBound)),
            .init("byte_end", .optional(byteRange?.upperBound)),
            .init("matches", .array(matched.map { .string($0) })),
            .init("text", .string(text)),
        ]
        return .object(members)
    }

    /// For a person: where it stands, and the passage with the query's words marked.
    func print(rank: Int, isColored: Bool) {
        let place = place.label ?? "chunk \(ordinal + 1)"
        let source = sourcePath.map { $0 == title ? "" : "  \($0)" } ?? ""
        let score = Double(score).fixed(4)
        let line = "\(rank). \(score)  \(title), \(place)\(source)".withoutControls
        Swift.print(isColored ? "\u{1B}[1m\(line)\u{1B}[0m" : line)
        if !self.place.headings.isEmpty {
            Swift.print("   " + self.place.headings.joined(separator: " > ").withoutControls)
        }
        for line in marked(isColored).split(whereSeparator: \.isNewline) {
            Swift.print("   \(line)")
        }
        Swift.print("")
    }

    /// The text without what would steer a terminal, but for the marks.
    private func marked(_ isColored: Bool) -> String {
        guard isColored else { return text.withoutControls }
        let utf8 = Array(text.utf8)
        var result = ""
        var offset = 0
        for match in matches {
            result +=
                String(decoding: utf8[offset..<match.lowerBound], as: UTF8.self).withoutControls
            let word = String(decoding: utf8[match], as: UTF8.self).withoutControls
            result += "\u{1B}[1;33m\(word)\u{1B}[0m"
            offset = match.upperBound
        }
        return result + String(decoding: utf8[offset...], as: UTF8.self).withoutControls
    }
}

extension SourcePlace {
    var json: JSONValue {
        func range(_ range: ClosedRange<Int>?) -> JSONValue {
            range.map { .array([.integer($0.lowerBound), .integer($0.upperBound)]) } ?? .null
        }
        let members: [JSONValue.Member] = [
            .init("pages", range(pages)), .init("slides", range(slides)),
            .init("lines", range(lines)), .init("milliseconds", range(milliseconds)),
            .init("chapter", .optional(chapter)), .init("part", .optional(part)),
            .init("headings", .array(headings.map { .string($0) })),
        ]
        return .object(members.filter { $0.value != .null })
    }
}

extension String {
    /// Without what would steer a terminal; line ends stay.
    var withoutControls: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.map { scalar in
                    scalar.properties.generalCategory == .control && scalar != "\n" ? " " : scalar
                }))
    }
}
