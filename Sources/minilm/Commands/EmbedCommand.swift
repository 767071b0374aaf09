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
              jq -c '{id, text: .body}' a.json | minilm embed --input-format jsonl

            The order is kept, and memory does not grow with the input. JSON lines have
            index, id (where the input had one), tokens, dropped (tokens that the window
            cut off) and embedding.
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
        let positions = embedder.model.settings.configuration.maximumPositionCount
        if let maxTokens, !(2...positions).contains(maxTokens) {
            throw CommandFailure(
                .usage, "--max-tokens \(maxTokens) is not within 2 and the model's \(positions)")
        }
        var vectors = try VectorOutput(
            format, dimension: embedder.model.dimension, path: output)
        let progress = Progress(total: source.totalByteCount, isQuiet: quiet)
        var (textCount, cutCount) = (0, 0)

        while true {
            let chunk = try source.next(2048)
            if chunk.isEmpty { break }
            progress.begin(texts: chunk.count, readBytes: source.readByteCount)
            let embeddings: Embeddings
            do throws(EmbeddingError) {
                embeddings = try embedder.embed(chunk.map(\.text), request) {
                    progress.add(texts: $0, tokens: $1)
                    return !Signals.isStopRequested
                }
            } catch {
                progress.finish()
                throw error.shifted(by: textCount)
            }
            for (i, text) in chunk.enumerated() {
                let record = VectorRecord(
                    index: textCount + i, id: text.id, tokenCount: embeddings.tokenCounts[i],
                    droppedTokenCount: embeddings.droppedTokenCounts[i], vector: embeddings[i])
                try vectors.write(record)
                cutCount += record.droppedTokenCount > 0 ? 1 : 0
            }
            textCount += chunk.count
            try vectors.flush()
            try Signals.check("after \(textCount) texts")
        }
        try vectors.finish()
        progress.finish()
        if cutCount > 0, !quiet {
            let limit = maxTokens ?? embedder.model.settings.maximumTokenCount
            StandardError.print(
                "minilm: \(cutCount) of \(textCount) texts were cut to \(limit) tokens (--max-tokens)\n"
            )
        }
    }
}

extension EmbeddingError {
    /// The error with texts counted from the start of the whole input, and a stop as what it is.
    fileprivate func shifted(by offset: Int) -> any Error {
        switch self {
        case .textTooLong(let index, let count, let limit):
            CommandFailure(
                .dataError,
                "text \(offset + index + 1) has \(count) tokens, over --max-tokens \(limit)")
        case .model(.nonFiniteOutput(let sequence)):
            CommandFailure(
                .internal,
                "the vector of text \(offset + sequence + 1) is not finite: the model is damaged")
        case .cancelled: CommandFailure(.interrupted, "interrupted after \(offset) texts")
        default: self
        }
    }
}
