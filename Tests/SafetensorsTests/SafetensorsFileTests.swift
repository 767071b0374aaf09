import Foundation
import Safetensors
import TestSupport
import Testing

struct SafetensorsFileTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func file(_ header: String, _ data: [UInt8]) throws -> SafetensorsFile {
        try SafetensorsFile(path: directory.write("f.safetensors", fileBytes(header) + data))
    }

    /// tools/make-fixtures.py writes it with the safetensors library for Python.
    @Test func fileOfThePythonLibraryReads() throws {
        let path = TestFiles.fixture("tiny-bert/model.safetensors").path
        let file = try SafetensorsFile(path: path)
        #expect(file.header.tensors.count == 37)
        #expect(file.tensor("embeddings.word_embeddings.weight")?.typeDescription == "F32 [97, 24]")
        #expect(file.tensor("encoder.layer.1.output.dense.bias")?.typeDescription == "F32 [24]")
        let gains = try file.elements(
            "encoder.layer.0.output.LayerNorm.weight", .f32, [24], as: Float.self)
        #expect(gains.allSatisfy { $0.isFinite && $0 != 0 })
        #expect(
            file.header.tensors.reduce(0) { $0 + $1.fileRange.count } + 8 < file.file.bytes.count)
        #expect(file.header.tensors.last?.fileRange.upperBound == file.file.bytes.count)
    }

    @Test func elementsAreThoseOfTheFile() throws {
        let file = try file("{\(entry(dtype: #""U8""#, shape: "[2,2]"))}", [1, 2, 3, 4])
        #expect(try Array(file.elements("t", .u8, [2, 2], as: UInt8.self)) == [1, 2, 3, 4])
    }

    @Test func tensorThatIsMissingIsNamed() throws {
        let file = try file("{\(entry())}", [0, 0, 0, 0])
        #expect(throws: SafetensorsError.missingTensor("u")) {
            try file.elements("u", .f32, [1], as: Float.self)
        }
    }

    @Test(arguments: [(DType.f32, [1, 1]), (.f32, []), (.i32, [1]), (.f16, [2])])
    func tensorOfAnotherTypeOrShapeIsNamed(_ dtype: DType, _ shape: [Int]) throws {
        let file = try file("{\(entry())}", [0, 0, 0, 0])
        let expected = SafetensorsError.unexpectedTensor(
            "t", expected: "\(dtype.rawValue) \(shape)", actual: "F32 [1]")
        #expect(throws: expected) { try file.elements("t", dtype, shape, as: Float.self) }
    }

    @Test func tensorThatIsNotAlignedIsRefused() throws {
        let header =
            "{\(entry("a", dtype: #""U8""#, offsets: "[0,1]")),"
            + "\(entry(offsets: "[1,5]"))}"
        let padding = String(repeating: " ", count: -header.utf8.count & 7)
        let file = try file(header + padding, [0, 0, 0, 0, 0])
        let expected = SafetensorsError.unexpectedTensor(
            "t", expected: "F32 [1], aligned", actual: "at byte \(file.file.bytes.count - 4)")
        #expect(throws: expected) { try file.elements("t", .f32, [1], as: Float.self) }
    }

    @Test func namesThatDifferOnlyInTheirCompositionAreDifferentTensors() throws {
        let file = try file(
            "{\(entry("\u{E9}", dtype: #""U8""#, offsets: "[0,1]")),"
                + "\(entry("e\u{301}", dtype: #""U8""#, offsets: "[1,2]"))}", [7, 8])
        #expect(try file.elements("\u{E9}", .u8, [1], as: UInt8.self).first == 7)
        #expect(try file.elements("e\u{301}", .u8, [1], as: UInt8.self).first == 8)
    }

    @Test func metadataIsFoundByKey() throws {
        let file = try file(#"{"__metadata__":{"a":"1","b":""}}"#, [])
        #expect(file.metadata("a") == "1")
        #expect(file.metadata("b") == "")
        #expect(file.metadata("c") == nil)
    }

    @Test func fileErrorsComeThrough() throws {
        let missing = directory.path("missing")
        #expect(throws: FileError(path: missing, reason: .system(.noSuchFileOrDirectory))) {
            try SafetensorsFile(path: missing)
        }
        let short = try directory.write("short", [1, 2, 3])
        #expect(throws: SafetensorsError.fileTooShort(byteCount: 3)) {
            try SafetensorsFile(path: short)
        }
    }
}
