/// Subtitles (SubRip, WebVTT): what is said, and when.
enum SubtitleExtractor {
    static func extract(
        _ text: String, _ type: MediaType, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        var builder = DocumentBuilder(maximumByteCount: limits.textByteCount)
        var number = 0
        var cue: (time: ClosedRange<Int>, line: Int, words: [String])?
        func endCue(_ builder: inout DocumentBuilder) throws(ExtractionError) {
            guard let ended = cue, !ended.words.isEmpty else { return }
            builder.begin(.millisecond, ended.time)
            try builder.append(
                ended.words.joined(separator: "\n"), .row,
                lines: ended.line...max(ended.line, number))
            cue = nil
        }
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            number += 1
            if number & 0xFFF == 0 { try deadline.check() }
            if let time = time(line) {
                try endCue(&builder)
                cue = (time, number, [])
            } else if line.allSatisfy(\.isWhitespace) {
                try endCue(&builder)
                cue = nil
            } else if cue != nil {
                cue?.words.append(withoutTags(line))
            }
        }
        try endCue(&builder)
        guard builder.hasText else { throw .damaged(type, reason: "no cue with a time in it") }
        return builder.extractedText(type)
    }

    /// `00:01:02,500 --> 00:01:05,000 …` in milliseconds; nil for other lines.
    private static func time(_ line: Substring) -> ClosedRange<Int>? {
        guard let arrow = line.firstRange(of: "-->") else { return nil }
        let words = line[arrow.upperBound...].split(separator: " ")
        guard let start = milliseconds(line[..<arrow.lowerBound]),
            let end = words.first.flatMap(milliseconds)
        else { return nil }
        return start...max(start, end)
    }

    private static func milliseconds(_ text: Substring) -> Int? {
        var parts: [Int] = []
        for part in text.split(whereSeparator: { ":,.".contains($0) }) {
            guard let value = Int(part.filter { !$0.isWhitespace }), value < 1_000_000 else {
                return nil
            }
            parts.append(value)
        }
        switch parts.count {
        case 3: return (parts[0] * 60 + parts[1]) * 1000 + parts[2]
        case 4: return ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1000 + parts[3]
        default: return nil
        }
    }

    private static func withoutTags(_ line: Substring) -> String {
        var text = ""
        var isTag = false
        for character in line {
            switch character {
            case "<": isTag = true
            case ">" where isTag: isTag = false
            default: if !isTag { text.append(character) }
            }
        }
        return text
    }
}
