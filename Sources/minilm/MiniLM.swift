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

            Exit codes: 0 done, 64 wrong usage, 65 bad input, 66 no such input, 69 not
            available, 70 internal error, 73 cannot create output, 74 input or output
            failed, 130 interrupted.
            """,
        version: EngineVersion.current,
        subcommands: [
            EmbedCommand.self, SimilarityCommand.self, TokenizeCommand.self, ServeCommand.self,
            ConvertCommand.self, InfoCommand.self, VerifyCommand.self, CompareCommand.self,
            TraceCommand.self,
        ])

    static func main() {
        Signals.install()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            guard let failure = CommandFailure(error) else { exit(withError: error) }
            failure.exit()
        }
    }
}
