import ArgumentParser
import EmbeddingEngine
import EmbeddingServer
import JSON
import Tokenization

extension Truncation.Direction: ExpressibleByArgument {}

struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Show the tokens of texts: ids, pieces and where they stand.",
        discussion: """
            A JSON object a text: ids, tokens, offsets (byte ranges in the text's UTF-8;
            [0,0] for the special tokens around it) and dropped, the tokens that
            --max-tokens cut off. Texts are not cut by default.
            """)

    @Argument(help: "Texts. Without any, and without --input, standard input is read.")
    var texts: [String] = []

    @OptionGroup var input: TextInputOptions

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "A model file. Default: as for the other commands.", valueName: "file"))
    var model: String?

    @Option(help: ArgumentHelp("Cut texts to this many tokens.", valueName: "count"))
    var maxTokens: Int?

    @Option(help: ArgumentHelp("Which end is cut off: right or left.", valueName: "end"))
    var truncation = Truncation.Direction.right

    @Flag(help: "Print ids alone, as a JSON array a text.")
    var idsOnly = false

    @Flag(help: "Print the rate on one thread instead of tokens, as JSON.")
    var timeOnly = false

    func validate() throws {
        if let maxTokens, maxTokens < 2 {
            throw ValidationError("--max-tokens must be at least 2, the special tokens.")
        }
    }

    mutating func run() throws {
        var source = try TextInput(texts: texts, input)
        let tokenizer = try EmbeddingModel(path: try ModelOptions.path(model)).tokenizer
        let window = maxTokens.map {
            Truncation(maximumTokenCount: $0, direction: truncation)
        }
        if timeOnly { return try time(&source, tokenizer, window) }
        var sink = try ByteSink(path: nil, needsSeek: false)
        var json = JSONWriter()
        while true {
            let chunk = try source.next(2048)
            if chunk.isEmpty { break }
            for text in chunk {
                json.removeAll()
                if idsOnly {
                    write(tokenizer.encodeIDs(text.text, truncation: window).ids, &json)
                } else {
                    write(tokenizer.encode(text.text, truncation: window), tokenizer, &json)
                }
                json.endLine()
                try sink.write(json.bytes)
            }
            try sink.flush()
            try Signals.check("while reading texts")
        }
        try sink.finish()
    }

    private func time(
        _ source: inout TextInput, _ tokenizer: Tokenizer, _ window: Truncation?
    ) throws {
        var (texts, bytes, tokens) = (0, 0, 0)
        var elapsed = Duration.zero
        while true {
            let chunk = try source.next(2048)
            if chunk.isEmpty { break }
            elapsed += ContinuousClock().measure {
                for text in chunk {
                    tokens += tokenizer.encodeIDs(text.text, truncation: window).ids.count
                }
            }
            texts += chunk.count
            bytes += chunk.reduce(0) { $0 + $1.text.utf8.count }
            try Signals.check("after \(texts) texts")
        }
        let seconds = max(elapsed.seconds, 1e-9)
        var json = JSONWriter()
        json.beginObject()
        json.key("texts")
        json.integer(texts)
        json.key("bytes")
        json.integer(bytes)
        json.key("tokens")
        json.integer(tokens)
        json.key("seconds")
        json.number(seconds)
        json.key("megabytes_per_second")
        json.number(Double(bytes) / seconds / 1e6)
        json.endObject()
        print(String(decoding: json.bytes, as: UTF8.self))
    }

    private func write(_ ids: [Int32], _ json: inout JSONWriter) {
        json.beginArray()
        for id in ids { json.integer(id) }
        json.endArray()
    }

    private func write(_ encoding: Encoding, _ tokenizer: Tokenizer, _ json: inout JSONWriter) {
        json.beginObject()
        json.members(of: encoding, tokenizer)
        json.endObject()
    }
}
