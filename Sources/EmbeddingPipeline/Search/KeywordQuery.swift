/// A query in a person's words as FTS5 takes it.
///
/// Each word may match, the rarer the better (BM25); what stands in double quotes has to, as a phrase.
/// Words are the index's own, stemmed as the text is.
struct KeywordQuery {
    /// The expression; nil when there is no word in the query.
    let expression: String?

    init(_ text: String) {
        var phrases: [String] = []
        var words: [String] = []
        let parts = text.split(separator: "\"", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            let found = Self.words(part)
            // A quote that nothing closes is none.
            let isQuoted = !index.isMultiple(of: 2) && index < parts.count - 1
            if isQuoted, !found.isEmpty {
                phrases.append("\"\(found.joined(separator: " "))\"")
            } else {
                words += found
            }
        }
        // What every text has says nothing, unless the query is nothing else.
        let telling = words.filter { !Self.commonWords.contains($0.lowercased()) }
        if !telling.isEmpty || !phrases.isEmpty { words = telling }
        let any = words.map { "\"\($0)\"" }.joined(separator: " OR ")
        switch (phrases.isEmpty, words.isEmpty) {
        case (true, true): expression = nil
        case (true, false): expression = any
        case (false, true): expression = phrases.joined(separator: " AND ")
        // The others only rank.
        case (false, false):
            let all = phrases.joined(separator: " AND ")
            expression = "\(all) AND (\(phrases[0]) OR \(any))"
        }
    }

    private static func words(_ text: Substring) -> [String] {
        text.unicodeScalars.split { scalar in
            !scalar.properties.isAlphabetic && scalar.properties.numericType == nil
                && !scalar.properties.isGraphemeExtend
        }.map { String(String.UnicodeScalarView($0)) }
    }

    private static let commonWords: Set<String> = [
        "a", "about", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "could",
        "did", "do", "does", "for", "from", "had", "has", "have", "how", "i", "if", "in", "into",
        "is", "it", "its", "me", "my", "no", "not", "of", "on", "or", "should", "so", "that", "the",
        "their", "them", "then", "there", "these", "they", "this", "to", "was", "we", "were",
        "what",
        "when", "where", "which", "who", "why", "will", "with", "would", "you", "your",
    ]
}
