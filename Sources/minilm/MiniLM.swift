import ArgumentParser
import EmbeddingEngine

@main
struct MiniLM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "minilm",
        abstract: "Sentence embeddings of MiniLM and other BERT models, offline.",
        discussion: """
            Texts go in, the vectors of the reference model come out. Other programs use
            `minilm serve`; people and scripts use `minilm embed`. A model file is made by
            `minilm convert`.

            A library keeps materials and their vectors: `minilm subject add`, `minilm
            material add`, `minilm generate-missing-embeddings`, `minilm search`.

            Exit codes: 0 done, 1 some parts failed, 64 wrong usage, 65 bad input, 66 no
            such input, 70 internal error, 73 cannot create output, 74 input or output
            failed, 75 busy: try again, 77 no permission, 130 interrupted.
            """,
        version: EngineVersion.current,
        groupedSubcommands: [
            CommandGroup(
                name: "Texts",
                subcommands: [
                    EmbedCommand.self, SimilarityCommand.self, TokenizeCommand.self,
                    ServeCommand.self, ManifestCommand.self,
                ]),
            CommandGroup(
                name: "Library",
                subcommands: [
                    SubjectCommand.self, MaterialCommand.self,
                    GenerateMissingEmbeddingsCommand.self, StatusCommand.self, SearchCommand.self,
                    WorkerCommand.self, TaskCommand.self, VerifyCommand.self,
                ]),
            CommandGroup(
                name: "Model",
                subcommands: [
                    ConvertCommand.self, InfoCommand.self, CompareCommand.self, TraceCommand.self,
                    TuneCommand.self, BenchCommand.self,
                ]),
        ])

    static func main() {
        StandardStreams.openMissing()
        Signals.install()
        do {
            var command = try parsedCommand()
            try command.run()
            try StandardStreams.flushOutput()
            // Threads may still compute what nobody waits for: nothing is torn down below them.
            StandardStreams.endProcess(0)
        } catch {
            if let failure = CommandFailure(error) { failure.report() }
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            // One line, as every failure; the usage is a --help away.
            let message = message(for: error).split(separator: "\n").first ?? "wrong usage"
            CommandFailure(.usage, "\(message) (see minilm --help)").report()
        }
    }

    /// What other programs start, again and again, with right arguments: these are read without
    /// preparing all other commands. Whatever is wrong with them is found again, and said, by the
    /// parser of all.
    private static func parsedCommand() throws -> any ParsableCommand {
        let often: [any ParsableCommand.Type] = [ServeCommand.self, EmbedCommand.self]
        let arguments = CommandLine.arguments.dropFirst()
        if let type = often.first(where: { $0.configuration.commandName == arguments.first }) {
            do { return try type.parse(Array(arguments.dropFirst())) } catch {}
        }
        return try parseAsRoot()
    }
}
