import ArgumentParser
import EmbeddingEngine
import ModelConversion

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Make a model file of a Hugging Face sentence-transformers checkpoint.",
        discussion: """
            MODEL_DIR has config.json, model.safetensors (F32, F16 or BF16),
            tokenizer.json or vocab.txt, and, of sentence-transformers, modules.json,
            1_Pooling/config.json and sentence_bert_config.json. BERT encoders with
            mean, CLS or max pooling are converted; what the engine cannot run is named
            and refused. The same checkpoint and name give the same bytes. The file
            appears whole or not at all, and is checked after it was written.
            """)

    @Argument(help: "The checkpoint's directory.") var modelDir: String
    @Argument(help: "The model file to write, for example weights/my-model.safetensors.")
    var out: String

    @Option(
        help: ArgumentHelp(
            "The model's name. Default: the directory's.",
            valueName: "name"))
    var name: String?

    @Flag(name: [.short, .long], help: "Print nothing when all went well.")
    var quiet = false

    mutating func run() throws {
        let settings = try ModelConverter.convert(directory: modelDir, output: out, name: name)
        let verification = try ModelVerification(try Embedder(modelPath: out))
        guard verification.isSound else {
            throw CommandFailure(
                .internal,
                "\(out) was written, but its self-test differs by \(verification.largestDifference)"
            )
        }
        if quiet { return }
        let c = settings.configuration
        print(
            """
            \(out): \(settings.name)
            \(c.layerCount) layers, \(c.hiddenSize) dimensions, \(c.vocabularySize) tokens, \
            \(settings.pooling.rawValue) pooling\(settings.normalize ? ", unit length" : ""), \
            window \(settings.maximumTokenCount) of \(c.maximumPositionCount)
            fingerprint \(settings.fingerprint)
            self-test: \(verification.selfTestCount) vectors, largest difference \
            \(verification.largestDifference)
            """)
    }
}
