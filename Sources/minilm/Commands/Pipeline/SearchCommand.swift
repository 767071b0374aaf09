import ArgumentParser
import EmbeddingEngine
import EmbeddingPipeline
import Foundation
import JSON

struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Find the passages that answer a query.",
        discussion: """
            Examples:
              minilm search "How do plants feed themselves?"
              minilm search "photosynthesis" --mode keyword --subject biology -k 3
              minilm search 'the "calvin cycle"' --type application/pdf --json
              minilm search --queries questions.txt --json

            By vectors (exact cosine similarity, by the model that made them), by words
            (BM25), or by both rankings as one (reciprocal rank fusion, the default).
            Words in double quotes must stand in a passage as they are. Each hit says
            where it stands: page, slide, chapter, lines; with --json also in bytes.

            Of all subjects, or those named. Exits with 66 when there is nothing to search.
            """)

    @Argument(help: "The query.") var query: String?
    @Option(
        help: ArgumentHelp(
            "The name or id of a subject; may be repeated. Default: all.", valueName: "subject"))
    var subject: [String] = []
    @Option(
        name: [.customShort("k"), .customLong("k")],
        help: ArgumentHelp("At most so many.", valueName: "count"))
    var count = 5
    @Option(help: ArgumentHelp("vector, keyword or hybrid.", valueName: "mode"))
    var mode = SearchQuery.Mode.hybrid
    @Option(
        help: ArgumentHelp(
            "Only materials of this media type, or what its name begins with; may be repeated.",
            valueName: "type"))
    var type: [String] = []
    @Option(help: ArgumentHelp("Only this material; may be repeated.", valueName: "id"))
    var material: [Int64] = []
    @Option(
        help: ArgumentHelp(
            "Only files whose path matches, with * and ? as in a shell.", valueName: "pattern"))
    var path: String?
    @Option(
        help: ArgumentHelp(
            "A file with a query a line, or - for standard input.", valueName: "file"))
    var queries: String?
    @Flag(help: "Print a JSON object a line.") var json = false
    @Flag(help: "Say on stderr how long each query took.") var timings = false
    @Option(help: ArgumentHelp("Mark the query's words: auto, always or never.", valueName: "when"))
    var color = Coloring.auto
    @OptionGroup var library: LibraryOptions
    @OptionGroup var model: ModelOptions

    enum Coloring: String, ExpressibleByArgument {
        case auto
        case always
        case never
    }

    func validate() throws {
        guard (1...10_000).contains(count) else {
            throw ValidationError("-k must be within 1 and 10000.")
        }
        guard (query == nil) != (queries == nil) else {
            throw ValidationError("Give a query, or --queries with a file of them.")
        }
    }

    mutating func run() throws {
        if let query, !query.contains(where: { !$0.isWhitespace }) {
            throw CommandFailure(.usage, "the query is empty")
        }
        let library = try library.openToRead()
        var filter = SearchFilter()
        filter.subjectIDs = try subject.compactMap { try library.subject($0).id }
        for id in material { _ = try library.material(id: id) }
        filter.materialIDs = material
        filter.mediaTypes = type
        filter.pathPattern = path
        // Words need no model.
        let engine = mode == .keyword ? nil : try model.reproducibleEmbedder()
        if let query { return try answer(query, nil, library, engine, filter) }
        for (index, line) in try lines().enumerated() {
            try Signals.check("after \(index) queries")
            try answer(line, index, library, engine, filter)
        }
    }

    private func lines() throws -> [String] {
        let data: Data
        do {
            data =
                queries == "-"
                ? try FileHandle.standardInput.readToEnd() ?? Data()
                : try Data(contentsOf: URL(fileURLWithPath: queries ?? ""))
        } catch { throw CommandFailure(.noInput, "\(queries ?? ""): cannot be read") }
        return String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline)
            .map(String.init).filter { $0.contains { !$0.isWhitespace } }
    }

    private func answer(
        _ text: String, _ index: Int?, _ library: Library, _ engine: Embedder?,
        _ filter: SearchFilter
    ) throws {
        var search = SearchQuery(text: text, mode: mode, count: count)
        search.filter = filter
        let start = ContinuousClock.now
        if let engine {
            let embeddings = try engine.embed([text])
            search.vector = Array(embeddings[0])
            search.model = ModelIdentity(engine.model)
            if embeddings.droppedTokenCounts[0] > 0 {
                StandardError.print(
                    "minilm: the query was cut to \(embeddings.tokenCounts[0]) tokens\n")
            }
        }
        let searchStart = ContinuousClock.now
        let hits = try library.search(search)
        if timings {
            let (embedding, scan) = (searchStart - start, ContinuousClock.now - searchStart)
            StandardError.print(
                "embedded in \((embedding.seconds * 1000).fixed(1)) ms, searched in \((scan.seconds * 1000).fixed(1)) ms\n"
            )
        }
        if !json, index != nil { print("# \(text)\n") }
        for (rank, hit) in hits.enumerated() {
            if json {
                hit.json(rank: rank + 1, query: index).printLine()
            } else {
                hit.print(rank: rank + 1, isColored: isColored)
            }
        }
        if hits.isEmpty, !json { print(nothingFound(library)) }
    }

    private func nothingFound(_ library: Library) -> String {
        switch mode {
        case .keyword: "nothing found: no passage has a word of the query"
        case .vector, .hybrid: "nothing found: no chunk that is looked at has an embedding"
        }
    }

    private var isColored: Bool {
        switch color {
        case .always: true
        case .never: false
        case .auto: isatty(STDOUT_FILENO) == 1 && Environment.string("NO_COLOR") == nil
        }
    }
}

extension SearchQuery.Mode: ExpressibleByArgument {}
