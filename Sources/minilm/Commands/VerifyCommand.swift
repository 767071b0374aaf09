import ArgumentParser
import EmbeddingEngine
import ModelConversion

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract:
            "Check a model file: fingerprint, weights, and that its self-test vectors come out here.",
        discussion: "Exits with 0 when the file is sound, with 65 when it is not.")

    @Argument(help: "A model file. Default: as for the other commands.") var modelFile: String?
    @OptionGroup var options: ModelOptions

    func validate() throws { try options.checkBeside(modelFile) }
    @Flag(name: [.short, .long], help: "Print nothing when the file is sound.") var quiet = false

    mutating func run() throws {
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
