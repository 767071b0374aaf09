import ArgumentParser
import EmbeddingServer
import JSON

struct ManifestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manifest",
        abstract: "Print what a host program needs to know to load the engine, as JSON.",
        discussion: """
            Name, version, protocol versions, the command to spawn, environment, methods
            with JSON Schemas of their params and results, errors and default limits. No
            model is opened; a running engine says its own limits in `info`.
            """)

    mutating func run() throws {
        var json = try Manifest.json(program: ModelOptions.executablePath)
        json.endLine()
        var sink = try ByteSink(path: nil, needsSeek: false)
        try sink.write(json.bytes)
        try sink.finish()
    }
}
