import EmbeddingEngine
import Foundation
import JSON
import ModelConversion
import Safetensors
import TestSupport
import Testing

/// A copy of the tiny checkpoint that a test may spoil.
final class CheckpointCopy {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        try FileManager.default.copyItem(
            at: TestFiles.fixture("tiny-bert"), to: directory.url.appending(path: "checkpoint"))
        try FileManager.default.createDirectory(
            atPath: directory.path("out"), withIntermediateDirectories: false)
    }

    var path: String { directory.path("checkpoint") }
    var output: String { directory.path("out/model.safetensors") }

    /// What conversions left behind.
    var outputNames: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: directory.path("out")) }
    }

    func file(_ name: String) -> String { directory.path("checkpoint/\(name)") }

    func contents(_ name: String) throws -> [UInt8] {
        try Array(Data(contentsOf: URL(fileURLWithPath: file(name))))
    }

    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws {
        let url = URL(fileURLWithPath: file(name))
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    func write(_ name: String, _ text: String) throws { try write(name, text.utf8) }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: file(name))
    }

    /// Puts a value into a JSON file, or takes it out when nil. The path leads through members by
    /// name and elements by number.
    func set(_ name: String, _ path: String..., to value: JSONValue?) throws {
        var root = try JSONValue(parsing: contents(name))
        root.set(path[...], to: value)
        var writer = JSONWriter()
        writer.value(root)
        try write(name, writer.bytes)
    }

    /// Changes the lines of vocab.txt, which then is the only vocabulary.
    func editVocabulary(_ change: (inout [String]) -> Void) throws {
        try remove("tokenizer.json")
        let text = String(decoding: try contents("vocab.txt"), as: UTF8.self)
        var lines = text.split(separator: "\n").map(String.init)
        change(&lines)
        try write("vocab.txt", lines.map { $0 + "\n" }.joined())
    }

    func editTensors(_ change: (inout RawSafetensors) throws -> Void) throws {
        var tensors = try RawSafetensors(contents("model.safetensors"))
        try change(&tensors)
        try write("model.safetensors", tensors.encoded())
    }

    @discardableResult
    func convert() throws(ConversionError) -> String {
        try ModelConverter.convert(directory: path, output: output, name: "tiny")
        return output
    }

    func converted() throws -> [UInt8] {
        try Array(Data(contentsOf: URL(fileURLWithPath: convert())))
    }

    func open() throws -> EmbeddingModel { try EmbeddingModel(path: convert()) }

    /// Expects the conversion to be refused with this error and to leave no file.
    func expectRefusal(
        _ error: ConversionError, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(throws: error, sourceLocation: sourceLocation) { try convert() }
        #expect(try outputNames == [], sourceLocation: sourceLocation)
    }
}

/// One way to spoil a checkpoint, and the error that it must give.
struct Refusal: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var change: @Sendable (CheckpointCopy) throws -> Void
    var error: @Sendable (CheckpointCopy) -> ConversionError

    init(
        _ description: String, _ error: @escaping @Sendable (CheckpointCopy) -> ConversionError,
        change: @escaping @Sendable (CheckpointCopy) throws -> Void
    ) {
        testDescription = description
        self.change = change
        self.error = error
    }

    init(
        _ description: String, _ error: ConversionError,
        change: @escaping @Sendable (CheckpointCopy) throws -> Void
    ) {
        self.init(description, { _ in error }, change: change)
    }

    func check(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let checkpoint = try CheckpointCopy()
        try change(checkpoint)
        try checkpoint.expectRefusal(error(checkpoint), sourceLocation: sourceLocation)
    }
}

extension JSONValue {
    fileprivate mutating func set(_ path: ArraySlice<String>, to value: JSONValue?) {
        guard let key = path.first else {
            self = value ?? .null
            return
        }
        let rest = path.dropFirst()
        switch self {
        case .object(var members):
            let index = members.firstIndex { $0.key == key }
            if rest.isEmpty, value == nil {
                if let index { members.remove(at: index) }
            } else if let index {
                members[index].value.set(rest, to: value)
            } else {
                var new = JSONValue.object([])
                new.set(rest, to: value)
                members.append(Member(key, new))
            }
            self = .object(members)
        case .array(var elements):
            let index = Int(key)!
            if rest.isEmpty, value == nil {
                elements.remove(at: index)
            } else if index == elements.count {
                elements.append(value ?? .null)
            } else {
                elements[index].set(rest, to: value)
            }
            self = .array(elements)
        default: preconditionFailure("no member \(key) of \(typeName)")
        }
    }
}
