import ArgumentParser
import EmbeddingEngine
import JSON
import ModelConversion

struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Show how far the vectors of two models drift apart, before an update.",
        discussion: """
            Each text is embedded by both models; 1 means the same direction. Without
            --texts a few built-in sentences are compared; a file of your own texts says
            more. Stored vectors are worth keeping only while the models agree.
            """)

    @Argument(help: "The model file in use.") var old: String
    @Argument(help: "The model file to come.") var new: String
    @Option(
        help: ArgumentHelp("A file with a text a line; - is standard input.", valueName: "file"))
    var texts: String?
    @Option(help: ArgumentHelp("How many of the worst texts to show.", valueName: "count"))
    var worst = 5
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var compute: ComputeOptions

    func validate() throws {
        if worst < 0 { throw ValidationError("--worst must not be negative.") }
    }

    mutating func run() throws {
        let oldEmbedder = try compute.embedder(model: old)
        let newEmbedder = try compute.embedder(model: new)
        var comparison = try ModelComparison(old: oldEmbedder, new: newEmbedder)
        var options = try TextInputOptions.parse([])
        options.input = texts.map { [$0] } ?? []
        var source = try TextInput(texts: texts == nil ? SampleTexts.all : [], options)
        let progress = Progress(total: source.totalByteCount, isQuiet: json)
        var worstTexts = WorstTexts(limit: worst)
        while true {
            let chunk = try source.next(256)
            if chunk.isEmpty { break }
            let start = comparison.cosines.count
            progress.begin(texts: chunk.count, readBytes: source.readByteCount)
            try comparison.add(chunk.map(\.text))
            for (i, text) in chunk.enumerated() {
                worstTexts.add(
                    index: start + i, cosine: comparison.cosines[start + i], text: text.text)
            }
            progress.add(texts: chunk.count, tokens: 0)
            try Signals.check("after \(comparison.cosines.count) texts")
        }
        progress.finish()
        guard !comparison.cosines.isEmpty else {
            throw CommandFailure(.dataError, "there are no texts to compare")
        }
        report(
            comparison, worstTexts,
            sameModel: oldEmbedder.model.settings.fingerprint
                == newEmbedder.model.settings.fingerprint)
    }

    private func report(
        _ comparison: ModelComparison, _ worst: WorstTexts, sameModel: Bool
    ) {
        let percentiles = [1.0, 5, 25, 50]
        if json {
            var writer = JSONWriter()
            writer.beginObject()
            writer.key("texts")
            writer.integer(comparison.cosines.count)
            writer.key("same_fingerprint")
            writer.bool(sameModel)
            writer.key("minimum")
            writer.number(comparison.percentile(0))
            writer.key("mean")
            writer.number(comparison.mean)
            for percent in percentiles {
                writer.key("p\(Int(percent))")
                writer.number(comparison.percentile(percent))
            }
            writer.key("worst")
            writer.beginArray()
            for item in worst.items {
                writer.beginObject()
                writer.key("index")
                writer.integer(item.index)
                writer.key("cosine")
                writer.number(item.cosine)
                writer.key("text")
                writer.string(item.text)
                writer.endObject()
            }
            writer.endArray()
            writer.endObject()
            print(String(decoding: writer.bytes, as: UTF8.self))
            return
        }
        print("texts    \(comparison.cosines.count)")
        print("model    \(sameModel ? "the same fingerprint" : "different fingerprints")")
        print("minimum  \(comparison.percentile(0).fixed(6))")
        for percent in percentiles {
            let name = "p\(Int(percent))"
            print(
                name + String(repeating: " ", count: 9 - name.count)
                    + comparison.percentile(percent).fixed(6))
        }
        print("mean     \(comparison.mean.fixed(6))")
        if !worst.items.isEmpty { print("worst texts:") }
        for item in worst.items {
            let text = item.text.count > 80 ? item.text.prefix(79) + "…" : item.text[...]
            print("  \(item.cosine.fixed(6))  #\(item.index + 1)  \(text)")
        }
    }
}

/// The texts that moved the most so far.
private struct WorstTexts {
    let limit: Int
    private(set) var items: [(index: Int, cosine: Double, text: String)] = []

    init(limit: Int) { self.limit = limit }

    mutating func add(index: Int, cosine: Double, text: String) {
        if items.count == limit, let last = items.last, last.cosine <= cosine { return }
        guard limit > 0 else { return }
        let place = items.firstIndex { $0.cosine > cosine } ?? items.count
        items.insert((index, cosine, text), at: place)
        if items.count > limit { items.removeLast() }
    }
}
