import JSON

/// JSON and JSON lines: a line a value, with the names that lead to it.
enum JSONExtractor {
    /// As a tree a document takes many times its bytes.
    private static let maximumByteCount = 16 << 20
    private static let maximumValueCount = 1 << 20

    static func extract(
        _ text: String, _ type: MediaType, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        var builder = DocumentBuilder(maximumByteCount: limits.textByteCount)
        guard type != .jsonLines, text.utf8.count <= maximumByteCount else {
            try appendLines(text, &builder, deadline)
            return builder.extractedText(.jsonLines)
        }
        switch parse(text) {
        case .success(let value):
            try append(value, &builder, deadline)
            return builder.extractedText(.json)
        case .failure(let error):
            let defect = reason(error)
            // Many files named .json hold a value a line.
            do throws(ExtractionError) { try appendLines(text, &builder, deadline) } catch {
                if case .damaged = error { throw .damaged(.json, reason: defect) }
                throw error
            }
            return builder.extractedText(.jsonLines)
        }
    }

    private static func parse(_ text: String) -> Result<JSONValue, JSONError> {
        Result { () throws(JSONError) in
            try JSONValue(parsing: Array(text.utf8), valueLimit: maximumValueCount)
        }
    }

    /// What is wrong, without what stands in the file.
    private static func reason(_ error: JSONError) -> String {
        if case .duplicateKey = error { return "a key stands twice in one object" }
        return error.description
    }

    private static func appendLines(
        _ text: String, _ builder: inout DocumentBuilder, _ deadline: Deadline
    ) throws(ExtractionError) {
        var number = 0
        for line in text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false) {
            number += 1
            if number & 0xFF == 0 { try deadline.check() }
            let line = String(decoding: line, as: UTF8.self)
            if line.trimmed.isEmpty { continue }
            guard line.utf8.count <= maximumByteCount else {
                throw .tooLarge(bytes: line.utf8.count, limit: maximumByteCount)
            }
            guard case .success(let value) = parse(line) else {
                throw .damaged(.jsonLines, reason: "line \(number) is no JSON")
            }
            var leaves: [String] = []
            collect(value, "", into: &leaves)
            try builder.append(leaves.joined(separator: "\n"), .record, lines: number...number)
        }
    }

    /// The elements of the outermost array, or the members of the object, a block each.
    private static func append(
        _ value: JSONValue, _ builder: inout DocumentBuilder, _ deadline: Deadline
    ) throws(ExtractionError) {
        let parts: [(String, JSONValue)] =
            switch value {
            case .array(let elements): elements.map { ("", $0) }
            case .object(let members): members.map { ($0.key, $0.value) }
            default: [("", value)]
            }
        for (index, (name, part)) in parts.enumerated() {
            if index & 0xFF == 0 { try deadline.check() }
            // A list of records within an object: a block each.
            if case .array(let elements) = part, elements.contains(where: { $0.members != nil }) {
                for element in elements {
                    var leaves: [String] = []
                    collect(element, name, into: &leaves)
                    try builder.append(leaves.joined(separator: "\n"), .record)
                }
                continue
            }
            var leaves: [String] = []
            collect(part, name, into: &leaves)
            try builder.append(leaves.joined(separator: "\n"), .record)
        }
    }

    private static func collect(_ value: JSONValue, _ path: String, into lines: inout [String]) {
        func add(_ text: String) { lines.append(path.isEmpty ? text : "\(path): \(text)") }
        switch value {
        case .null: break
        case .bool(let value): add("\(value)")
        case .integer(let value): add("\(value)")
        case .unsigned(let value): add("\(value)")
        case .number(let value): add("\(value)")
        case .string(let value): if !value.trimmed.isEmpty { add(String(value.trimmed)) }
        case .array(let elements):
            let words = elements.compactMap(\.string)
            if words.count == elements.count, !words.isEmpty {
                add(words.joined(separator: ", "))
            } else {
                for element in elements { collect(element, path, into: &lines) }
            }
        case .object(let members):
            for member in members {
                collect(
                    member.value, path.isEmpty ? member.key : "\(path).\(member.key)",
                    into: &lines)
            }
        }
    }
}
