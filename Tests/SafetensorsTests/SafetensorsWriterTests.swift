import Foundation
import Safetensors
import TestSupport
import Testing

struct SafetensorsWriterTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static func writer() -> SafetensorsWriter {
        var writer = SafetensorsWriter(
            metadata: [("b", "1"), ("a", "\u{0}\"\\\n\u{1F}\u{7F}é\u{2028}🙂"), ("", "")])
        writer.add(
            "floats", [2, 3], [1, -0.0, .infinity, 2.5, .leastNonzeroMagnitude, -7] as [Float])
        writer.add("integers", [3], [Int32.min, 0, .max])
        writer.add("bytes", .u8, [64], [UInt8](0..<64))
        writer.add("none", .u8, [0], [])
        writer.add("scalar", .f64, [], [0, 0, 0, 0, 0, 0, 0xF0, 0x3F])
        writer.add("name \"with\" \\ é", .bool, [1], [1])
        return writer
    }

    private func contents(_ path: String) throws -> [UInt8] {
        try Array(Data(contentsOf: URL(fileURLWithPath: path)))
    }

    @Test func whatIsWrittenReadsBack() throws {
        let path = directory.path("f")
        try Self.writer().write(to: path)
        let file = try SafetensorsFile(path: path)
        #expect(file.header.metadata.map(\.key) == ["b", "a", ""])
        #expect(file.metadata("a") == "\u{0}\"\\\n\u{1F}\u{7F}é\u{2028}🙂")
        let floats = try file.elements("floats", .f32, [2, 3], as: Float.self)
        #expect(
            floats.map(\.bitPattern)
                == ([1, -0.0, .infinity, 2.5, .leastNonzeroMagnitude, -7] as [Float])
                .map(\.bitPattern))
        let integers = try file.elements("integers", .i32, [3], as: Int32.self)
        #expect(Array(integers) == [.min, 0, .max])
        #expect(try Array(file.elements("bytes", .u8, [64], as: UInt8.self)) == Array(0..<64))
        #expect(try file.elements("none", .u8, [0], as: UInt8.self).isEmpty)
        #expect(try Array(file.elements("scalar", .f64, [], as: Double.self)) == [1])
        #expect(try Array(file.elements("name \"with\" \\ é", .bool, [1], as: Bool.self)) == [true])
    }

    @Test func everyTensorBeginsAtAMultipleOf64() throws {
        let path = directory.path("f")
        try Self.writer().write(to: path)
        let file = try SafetensorsFile(path: path)
        let named = file.header.tensors.filter { !$0.name.hasPrefix("padding.") }
        #expect(named.count == 6)
        #expect(named.allSatisfy { $0.fileRange.lowerBound % 64 == 0 })
        #expect(file.file.bytes.count % 64 == 0)
    }

    @Test(arguments: [0, 1, 2, 63, 64, 65, 127, 128, 1000])
    func headerAndDataAreMultiplesOf64(byteCount: Int) throws {
        let path = directory.path("f")
        for nameLength in 1...64 {
            var writer = SafetensorsWriter(metadata: [])
            let name = String(repeating: "n", count: nameLength)
            writer.add(name, .u8, [byteCount], [UInt8](repeating: 1, count: byteCount))
            try writer.write(to: path)
            let file = try SafetensorsFile(path: path)
            let start = try #require(file.tensor(name)).fileRange.lowerBound
            #expect(start % 64 == 0)
            #expect(file.file.bytes.count - start == (byteCount + 63) / 64 * 64)
        }
    }

    @Test func paddingIsZero() throws {
        let path = directory.path("f")
        try Self.writer().write(to: path)
        let file = try SafetensorsFile(path: path)
        let padding = file.header.tensors.filter { $0.name.hasPrefix("padding.") }
        #expect(padding.count == 4)
        #expect(padding.allSatisfy { file.bytes(of: $0).allSatisfy { $0 == 0 } })
    }

    @Test func sameInputGivesTheSameBytes() throws {
        try Self.writer().write(to: directory.path("a"))
        try Self.writer().write(to: directory.path("b"))
        #expect(try contents(directory.path("a")) == contents(directory.path("b")))
    }

    @Test func writerOfNothingGivesAFileThatReads() throws {
        let path = directory.path("f")
        try SafetensorsWriter(metadata: []).write(to: path)
        #expect(try SafetensorsFile(path: path).header.tensors.isEmpty)
        #expect(try contents(path).count == 64)
    }

    @Test func borrowedMemoryIsWrittenLikeOwned() throws {
        let values: [Float] = (0..<100).map { Float($0) / 7 }
        var owned = SafetensorsWriter(metadata: [])
        owned.add("t", [100], values)
        try owned.write(to: directory.path("owned"))
        try values.withUnsafeBufferPointer { buffer in
            var borrowed = SafetensorsWriter(metadata: [])
            borrowed.add("t", [100], borrowing: buffer)
            try borrowed.write(to: directory.path("borrowed"))
        }
        #expect(try contents(directory.path("owned")) == contents(directory.path("borrowed")))
    }

    @Test func missingDirectoryIsNamedAndNothingIsLeft() throws {
        let path = directory.path("missing/f")
        #expect(
            throws: FileError(
                path: path, reason: .system(.noSuchFileOrDirectory), isWriting: true)
        ) {
            try Self.writer().write(to: path)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path).isEmpty)
    }
}
