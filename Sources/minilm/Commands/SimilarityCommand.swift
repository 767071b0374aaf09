import ArgumentParser
import EmbeddingEngine
import JSON

struct SimilarityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "similarity",
        abstract: "Print the cosine similarity of two texts, from -1 to 1.")

    @Argument(help: "A text.") var first: String
    @Argument(help: "Another text.") var second: String
    @OptionGroup var model: ModelOptions

    mutating func run() throws {
        let embeddings = try model.embedder().embed([first, second])
        print(Cosine.similarity(embeddings[0], embeddings[1]).fixed(6))
    }
}
