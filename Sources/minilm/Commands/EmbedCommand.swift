import ArgumentParser
import EmbeddingEngine
import Tokenization

enum TruncationChoice: String, ExpressibleByArgument, CaseIterable {
    case right, left, error
}

struct EmbedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Embed texts: arguments, lines, JSON lines or files.",
        discussion: """
            Examples:
              minilm embed "A first text" "A second one"
              minilm embed --input notes.txt --format npy --output notes.npy
              jq -c '{id, text: .body}' articles.json | minilm embed --input-format jsonl > vectors.jsonl

            The order is kept, and memory does not grow with the input. JSON lines have index, id (where the
            input had one), tokens, dropped (tokens that the window cut off) and embedding.
            """)

    @Argument(help: "Texts to embed. Without any, and without --input, standard input is read.")
    var texts: [String] = []

    @OptionGroup var input: TextInputOptions
    @OptionGroup var model: ModelOptions

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("How vectors are written: jsonl, npy, csv or f32.", valueName: "format"))
    var format = VectorFormat.jsonl

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "Where vectors go; the file appears when all are there. Default: standard output.",
            valueName: "file"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "Tokens that a text is cut to. Default: the model's own, 256 for all-MiniLM-L6-v2.",
            valueName: "count"))
    var maxTokens: Int?

    @Option(
        help: ArgumentHelp(
            "Which end is cut off a text that is too long, or error.", valueName: "end"))
    var truncation = TruncationChoice.right

    @Flag(inversion: .prefixedNo, help: "Scale vectors to unit length. Default: as the model does.")
    var normalize: Bool?

    @Flag(name: [.short, .long], help: "No progress and no warnings on stderr.")
    var quiet = false

    mutating func run() throws {
        var request = Embedder.Request()
        request.maximumTokenCount = maxTokens
        request.truncates = truncation != .error
        request.truncationDirection = truncation == .left ? .left : .right
        request.normalize = normalize

        var source = try TextInput(texts: texts, input)
        let embedder = try model.embedder()
        var vectors = try VectorOutput(
            format, dimension: embedder.model.dimension, path: output)
        var progress = Progress(total: source.totalByteCount, isQuiet: quiet)
        var (textCount, tokenCount, cutCount) = (0, 0, 0)

        while true {
            let chunk = try source.next(2048)
            if chunk.isEmpty { break }
            let embeddings = try embed(chunk.map(\.text), request, embedder, offset: textCount)
            for (i, text) in chunk.enumerated() {
                let record = VectorRecord(
                    index: textCount + i, id: text.id, tokenCount: embeddings.tokenCounts[i],
                    droppedTokenCount: embeddings.droppedTokenCounts[i], vector: embeddings[i])
                try vectors.write(record)
                tokenCount += record.tokenCount
                cutCount += record.droppedTokenCount > 0 ? 1 : 0
            }
            textCount += chunk.count
            try vectors.flush()
            progress.update(
                texts: textCount, tokens: tokenCount, bytes: source.readByteCount)
            if Signals.isStopRequested { progress.finish(texts: textCount, tokens: tokenCount) }
            try Signals.check("after \(textCount) texts")
        }
        try vectors.finish()
        progress.finish(texts: textCount, tokens: tokenCount)
        if cutCount > 0, !quiet {
            let limit = maxTokens ?? embedder.model.settings.maximumTokenCount
            StandardError.write(
                "minilm: \(cutCount) of \(textCount) texts were cut to \(limit) tokens (--max-tokens)\n"
            )
        }
    }

    /// Embeds a chunk; errors name texts by their place in the whole input.
    private func embed(
        _ texts: [String], _ request: Embedder.Request, _ embedder: Embedder, offset: Int
    ) throws(EmbeddingError) -> Embeddings {
        do throws(EmbeddingError) { return try embedder.embed(texts, request) } catch {
            if case .textTooLong(let index, let count, let limit) = error {
                throw .textTooLong(index: offset + index, tokenCount: count, limit: limit)
            }
            throw error
        }
    }
}
