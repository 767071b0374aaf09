import EmbeddingPipeline
import Foundation
import JSON
import TestSupport
import Testing

/// A library that the real program works on, with the small model.
final class ProgramLibrary {
    let directory: TemporaryDirectory
    let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path("library.sqlite")
    }

    @discardableResult
    func run(_ arguments: String..., environment: [String: String] = [:]) throws -> Program.Result {
        try Program.run(
            arguments, environment: ["MINILM_LIBRARY": path].merging(environment) { $1 })
    }

    func json(_ arguments: String...) throws -> JSONValue {
        let result = try Program.run(arguments, environment: ["MINILM_LIBRARY": path])
        return try JSONValue(parsing: Array(result.output))
    }

    /// A subject with two files and chunks that wait: the ids are 1, and 1 and 2.
    func fill() throws {
        for name in ["first", "second"] {
            let text = (0..<60).map { "Sentence \($0) of the \(name) file. " }.joined()
            _ = try directory.write("\(name).txt", Data(text.utf8))
        }
        let result = try run(
            "material", "add", directory.path("first.txt"), directory.path("second.txt"),
            "--subject", "history", "--create-subject")
        #expect(result.status == 0, "\(result.errors)")
    }

    /// A model of the same weights under other settings, which is another one.
    func otherModel() throws -> String {
        let checkpoint = directory.path("checkpoint")
        try FileManager.default.copyItem(
            atPath: TestFiles.fixture("tiny-bert").path, toPath: checkpoint)
        let settings = checkpoint + "/sentence_bert_config.json"
        let text = try String(contentsOfFile: settings, encoding: .utf8)
        let changed = text.replacing(/"max_seq_length": *\d+/, with: "\"max_seq_length\": 30")
        try #require(changed != text)
        try changed.write(toFile: settings, atomically: true, encoding: .utf8)
        let model = directory.path("other.safetensors")
        #expect(try Program.run("convert", checkpoint, model).status == 0)
        return model
    }
}
