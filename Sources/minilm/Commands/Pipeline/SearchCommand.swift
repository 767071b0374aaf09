import ArgumentParser
import EmbeddingEngine
import EmbeddingPipeline
import JSON

struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Find the chunks of a subject that are nearest to a query.",
        discussion: """
            Exact cosine similarity over all vectors. The model must be the one that
            made them.
            """)

    @Argument(help: "The query.") var query: String
    @Option(help: ArgumentHelp("The name or id of a subject.", valueName: "subject"))
    var subject: String
    @Option(name: .shortAndLong, help: ArgumentHelp("At most so many.", valueName: "count"))
    var k = 5
    @Flag(help: "Print a JSON object a line.") var json = false
    @OptionGroup var library: LibraryOptions
    @OptionGroup var model: ModelOptions

    func validate() throws {
        guard (1...10_000).contains(k) else {
            throw ValidationError("-k must be within 1 and 10000.")
        }
    }

    mutating func run() throws {
        guard query.contains(where: { !$0.isWhitespace }) else {
            throw CommandFailure(.usage, "the query is empty")
        }
        let library = try library.openToRead()
        let subject = try library.subject(subject)
        let engine = try model.reproducibleEmbedder()
        let embeddings = try engine.embed([query])
        let vector = Array(embeddings[0])
        if embeddings.droppedTokenCounts[0] > 0 {
            StandardError.print(
                "minilm: the query was cut to \(embeddings.tokenCounts[0]) tokens\n")
        }
        let hits = try library.search(
            vector, ModelIdentity(engine.model), subjectID: subject.id, count: k)
        for (rank, hit) in hits.enumerated() {
            if json { hit.json(rank: rank + 1).printLine() } else { hit.print(rank: rank + 1) }
        }
        if hits.isEmpty, !json { print("nothing found: no chunk of this subject is embedded") }
    }
}

extension SearchHit {
    fileprivate func json(rank: Int) -> JSONValue {
        .object([
            .init("rank", .integer(rank)),
            .init("score", .number(Double(score))),
            .init("chunk_id", .integer(chunkID)),
            .init("material_id", .integer(materialID)),
            .init("subject", .string(subject)),
            .init("title", .string(title)),
            .init("source_path", .optional(sourcePath)),
            .init("ordinal", .integer(ordinal)),
            .init("page", .optional(page)),
            .init("byte_start", .optional(byteRange?.lowerBound)),
            .init("byte_end", .optional(byteRange?.upperBound)),
            .init("text", .string(text)),
        ])
    }

    fileprivate func print(rank: Int) {
        let place = page.map { "page \($0)" } ?? "chunk \(ordinal + 1)"
        let source = sourcePath.map { $0 == title ? "" : "  \($0)" } ?? ""
        Swift.print("\(rank). \(Double(score).fixed(4))  \(title), \(place)\(source)")
        for line in text.split(whereSeparator: \.isNewline) {
            Swift.print("   \(line.withoutControls)")
        }
        Swift.print("")
    }
}

extension Substring {
    /// Without what would steer a terminal.
    fileprivate var withoutControls: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.map { scalar in
                    scalar.properties.generalCategory == .control ? " " : scalar
                }))
    }
}
