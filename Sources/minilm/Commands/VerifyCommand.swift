import ArgumentParser
import EmbeddingEngine
import EmbeddingPipeline
import ModelConversion

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a model file, or with --library a library.",
        discussion: """
            Of a model file: its fingerprint, its weights, and that its self-test
            vectors come out here. Exits with 0 when the file is sound, with 65 when it
            is not.

            Of a library: missing, stale, orphaned and invalid vectors. What can be put
            right is, and the materials are queued for `minilm worker`; --check-only
            changes nothing. Exits with 0 when all is sound, with 1 when something was
            found, with 65 when the file is damaged.
            """)

    @Argument(help: "A model file. Default: as for the other commands.") var modelFile: String?
    @OptionGroup var options: ModelOptions

    @Option(
        name: [.short, .long], help: ArgumentHelp("Check this library.", valueName: "file"))
    var library: String?
    @Flag(help: "Only look at the library; change nothing.") var checkOnly = false
    @Flag(
        help: "Leave out SQLite's own check of the library's file, which takes long and locks it.")
    var quick = false
    @Flag(help: "Print what was found in the library as a JSON object.") var json = false
    @Flag(name: [.short, .long], help: "Print nothing when all is sound.") var quiet = false

    func validate() throws {
        try options.checkBeside(modelFile)
        if library == nil, checkOnly || json || quick {
            throw ValidationError("--check-only, --quick and --json belong to --library.")
        }
    }

    mutating func run() throws {
        if let library {
            let identity = ModelIdentity(
                try EmbeddingModel(path: try ModelOptions.path(modelFile ?? options.model)))
            let verification = LibraryVerification(
                path: library, isCheckOnly: checkOnly, isQuick: quick, json: json,
                isQuiet: quiet)
            return try verification.run(identity)
        }
        try verifyModel()
    }

    private func verifyModel() throws {
        let path = try ModelOptions.path(modelFile ?? options.model)
        let verification = try ModelVerification(try options.compute.embedder(model: path))
        if verification.actualFingerprint != verification.statedFingerprint {
            throw CommandFailure(
                .dataError,
                "\(path): damaged: its content has the fingerprint \(verification.actualFingerprint), it states \(verification.statedFingerprint)"
            )
        }
        if let tensor = verification.nonFiniteTensor {
            throw CommandFailure(.dataError, "\(path): tensor \"\(tensor)\" is not finite")
        }
        guard verification.isSound else {
            throw CommandFailure(
                .dataError,
                "\(path): self-test failed: vectors differ by \(verification.largestDifference), more than \(ModelVerification.tolerance)"
            )
        }
        if !quiet {
            print(
                "\(path): sound; fingerprint \(verification.actualFingerprint); "
                    + "\(verification.selfTestCount) self-test vectors, largest difference "
                    + "\(verification.largestDifference)")
        }
    }
}
