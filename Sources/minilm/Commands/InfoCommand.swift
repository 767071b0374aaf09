import ArgumentParser
import EmbeddingEngine
import JSON
import Transformer

struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Show what a model file holds, and what would run it here.")

    @Argument(help: "A model file. Default: as for the other commands.") var modelFile: String?
    @OptionGroup var options: ModelOptions

    func validate() throws { try options.checkBeside(modelFile) }
    @Flag(help: "Print JSON.") var json = false

    mutating func run() throws {
        let embedder = try options.compute.embedder(
            model: try ModelOptions.path(modelFile ?? options.model))
        let facts = facts(embedder)
        if json {
            JSONValue.object(facts).printLine()
            return
        }
        let width = facts.map(\.key.count).max() ?? 0
        for fact in facts {
            var writer = JSONWriter()
            writer.value(fact.value)
            let value = fact.value.string ?? String(decoding: writer.bytes, as: UTF8.self)
            print(fact.key + String(repeating: " ", count: width + 2 - fact.key.count) + value)
        }
    }

    private func facts(_ embedder: Embedder) -> [JSONValue.Member] {
        let model = embedder.model
        let settings = model.settings
        var facts: [JSONValue.Member] = [
            .init("file", .string(model.file.path)),
            .init("bytes", JSONValue.integer(model.file.file.bytes.count)),
            .init("name", .string(settings.name)),
            .init("fingerprint", .string(settings.fingerprint)),
        ]
        for (key, value) in settings.computation { facts.append(.init(key, .string(value))) }
        for (key, value) in settings.provenance.sorted(by: { $0.key < $1.key }) {
            facts.append(.init("provenance.\(key)", .string(value)))
        }
        facts += [
            .init("self_test_vectors", JSONValue.integer(settings.selfTestTexts.count)),
            .init("device", .string("cpu (fallback in force: there is no GPU, and no GPU cache)")),
            .init("backend", .string(model.encoder.backend.rawValue)),
            .init("backend_detail", .string(model.encoder.backend.description)),
            .init("backend_reason", .string(embedder.configuration.backendReason)),
            .init("threads", JSONValue.integer(embedder.configuration.threadCount)),
            .init("batch_tokens", JSONValue.integer(embedder.configuration.batchTokenCount)),
            .init("engine_version", .string(EngineVersion.current)),
        ]
        return facts
    }
}
