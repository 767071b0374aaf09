import ArgumentParser
import EmbeddingPipeline

/// How the text of a subject's materials is cut.
struct ChunkingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Tokens of a chunk at most, as the model counts them; never more than its window.",
            valueName: "count"))
    var chunkTokens: Int?
    @Option(
        help: ArgumentHelp(
            "Tokens that a chunk shares with the one before it.", valueName: "count"))
    var overlapTokens: Int?
    @Option(
        help: ArgumentHelp(
            "What is put before a chunk when it is embedded, with {title} and {headings}; \"\" for nothing.",
            valueName: "template"))
    var contextTemplate: String?

    func validate() throws {
        if let chunkTokens, !(16...100_000).contains(chunkTokens) {
            throw ValidationError("--chunk-tokens must be within 16 and 100000.")
        }
        if let overlapTokens, !(0...100_000).contains(overlapTokens) {
            throw ValidationError("--overlap-tokens must be within 0 and 100000.")
        }
        if let contextTemplate, contextTemplate.utf8.count > 1000 {
            throw ValidationError("--context-template is too long.")
        }
    }

    /// Changes what is said, and nothing else.
    func apply(to subject: Subject, in library: Library) throws {
        guard chunkTokens != nil || overlapTokens != nil || contextTemplate != nil else { return }
        try library.setChunking(
            subjectID: subject.id ?? 0, tokenCount: chunkTokens ?? subject.chunkTokenCount,
            overlapTokenCount: overlapTokens ?? subject.overlapTokenCount,
            contextTemplate: contextTemplate ?? subject.contextTemplate)
    }
}
