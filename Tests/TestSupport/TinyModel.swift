import EmbeddingEngine
import Foundation
import JSON
import ModelConversion

/// The small random BERT of the fixtures, converted.
public enum TinyModel {
    /// Converted once a process, and removed with it by the system's cleaning of temporary files.
    public static let path: String = {
        let directory = FileManager.default.temporaryDirectory
        let path = directory.appending(path: "minilm-tiny-\(UUID().uuidString).safetensors").path
        do {
            try ModelConverter.convert(
                directory: TestFiles.fixture("tiny-bert").path, output: path, name: "tiny")
        } catch {
            fatalError("the fixture does not convert: \(error); see tools/make-fixtures.py")
        }
        return path
    }()

    public static func embedder(threads: Int = 2, batchTokens: Int = 1024) throws -> Embedder {
        try Embedder(
            modelPath: path, .init(threadCount: threads, batchTokenCount: batchTokens))
    }

    /// A text with what the reference makes of it, by pooling.
    public struct Expectation: Sendable {
        public var text: String
        public var ids: [Int32]
        public var vectors: [String: [Float]]
    }

    public static func expectations() throws -> [Expectation] {
        let data = try Data(contentsOf: TestFiles.fixture("tiny-bert.json"))
        return try (JSONValue(parsing: Array(data)).array ?? []).map { row in
            var vectors: [String: [Float]] = [:]
            for member in row.members ?? [] {
                if let values = member.value.array, member.key != "ids" {
                    vectors[member.key] = values.compactMap(\.double).map { Float($0) }
                }
            }
            return Expectation(
                text: row["text"]?.string ?? "", ids: row.ids, vectors: vectors)
        }
    }
}

/// A text of the reference model.
public struct ReferenceCase: Sendable {
    public var text: String
    /// Not truncated.
    public var ids: [Int32]
    /// Byte offsets without those of the special tokens; nil where they were not recorded.
    public var offsets: [Range<Int>]?
    /// Of the text cut to 256 tokens; nil where it was not recorded.
    public var vector: [Float]?

    /// Reads a file of JSON lines.
    public static func read(_ url: URL) throws -> [ReferenceCase] {
        try Data(contentsOf: url).split(separator: 0x0A).map { line in
            let row = try JSONValue(parsing: Array(line))
            var vector: [Float]?
            if let text = row["embedding"]?.string, let data = Data(base64Encoded: text) {
                vector = data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
            }
            let offsets = row["offsets"]?.array?.map { pair in
                (pair.array?[0].int ?? 0)..<(pair.array?[1].int ?? 0)
            }
            return ReferenceCase(
                text: row["text"]?.string ?? "", ids: row.ids, offsets: offsets, vector: vector)
        }
    }
}

extension JSONValue {
    fileprivate var ids: [Int32] { (self["ids"]?.array ?? []).compactMap(\.int).map { Int32($0) } }
}

/// How the tests were built.
public enum Build {
    /// Unoptimized kernels and tokenizers take minutes for what takes seconds in release; the largest
    /// tests are for release builds alone.
    public static var isOptimized: Bool {
        #if DEBUG
            false
        #else
            true
        #endif
    }
}

/// The reference model, where it has been set up.
public enum RealModel {
    public static var isPresent: Bool {
        FileManager.default.fileExists(atPath: TestFiles.model.path)
    }

    public static let embedder = Result { try Embedder(modelPath: TestFiles.model.path) }
}
