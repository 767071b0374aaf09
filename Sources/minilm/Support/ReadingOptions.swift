import ArgumentParser
import EmbeddingEngine
import EmbeddingPipeline
import TextExtraction

/// How files are read.
struct ReadingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How long reading a file may take; one that takes longer fails.",
            valueName: "seconds"))
    var fileTimeout = 60

    init() {}

    func validate() throws {
        guard (1...86_400).contains(fileTimeout) else {
            throw ValidationError("--file-timeout must be within 1 and 86400 seconds.")
        }
    }

    /// What reads files; Ctrl-C ends it in the middle of one.
    var extractor: TextExtractor {
        var limits = ExtractionLimits()
        limits.duration = .seconds(fileTimeout)
        limits.isStopRequested = { Signals.isStopRequested }
        return TextExtractor(limits: limits)
    }

    /// Says once which programs that read files are missing on this machine.
    static func warnOfMissingTools() {
        for missing in TextExtractor.missingTools {
            StandardError.print(
                "minilm: \(missing.tool) is not installed: \(missing.mediaType.name) files will fail; as root: apt-get install \(missing.package)\n"
            )
        }
    }

    /// The same, for chunks that fit a model's window.
    func processor(_ library: Library, _ model: EmbeddingModel) -> MaterialProcessor {
        MaterialProcessor(library, model: model, extractor: extractor)
    }
}
