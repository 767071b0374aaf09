import EmbeddingEngine
import Foundation
import ModelConversion
import Safetensors
import TestSupport
import Testing

/// Files that end too early, at every byte where something else could go wrong.
struct TruncationTests {
    /// What a reader of the first `count` bytes of a sound file must say; nil for all of them.
    private static func expected(
        _ header: SafetensorsHeader, headerEnd: Int, _ count: Int
    ) -> SafetensorsError? {
        if count < 8 { return .fileTooShort(byteCount: count) }
        if count < headerEnd {
            return .headerPastEnd(headerByteCount: headerEnd, fileByteCount: count)
        }
        // Both files name their tensors in the order of their bytes.
        return header.tensors.first { $0.fileRange.upperBound > count }.map {
            .offsetsPastEnd(
                tensor: $0.name, end: $0.fileRange.upperBound - headerEnd,
                dataByteCount: count - headerEnd)
        }
    }

    private static func check(_ file: [UInt8]) throws {
        try file.withUnsafeBytes { bytes in
            let header = try SafetensorsHeader(parsing: bytes)
            let headerEnd = 8 + Int(bytes.loadUnaligned(as: UInt64.self))
            var counts = Set(0...headerEnd + 1)
            for tensor in header.tensors {
                for edge in [tensor.fileRange.lowerBound, tensor.fileRange.upperBound] {
                    counts.formUnion(edge - 1...edge + 1)
                }
            }
            for count in counts where count < bytes.count {
                let error = try #require(expected(header, headerEnd: headerEnd, count))
                #expect(throws: error, "\(count) bytes") {
                    try SafetensorsHeader(
                        parsing: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                }
            }
        }
    }

    @Test func checkpointCutAnywhereIsRefused() throws {
        try Self.check(CheckpointCopy().contents("model.safetensors"))
    }

    @Test func convertedModelCutAnywhereIsRefused() throws {
        try Self.check(CheckpointCopy().converted())
    }

    /// The ends of tensors, a byte before and after, some bytes of the header, and one byte more
    /// than the file.
    private static func cuts(_ file: [UInt8]) throws -> [(count: Int, error: SafetensorsError)] {
        let header = try file.withUnsafeBytes { try SafetensorsHeader(parsing: $0) }
        let headerEnd = header.tensors[0].fileRange.lowerBound
        var counts: Set = [1, 7, 8, 9, headerEnd / 2, headerEnd - 1, headerEnd, headerEnd + 1]
        for tensor in header.tensors {
            let end = tensor.fileRange.upperBound
            counts.formUnion(end - 1...end + 1)
        }
        return counts.sorted().filter { $0 < file.count }.compactMap { count in
            expected(header, headerEnd: headerEnd, count).map { (count, $0) }
        } + [(file.count + 1, .hole(beforeTensor: nil))]
    }

    @Test func checkpointCutAtATensorsEdgeIsNotConverted() throws {
        let checkpoint = try CheckpointCopy()
        let path = checkpoint.file("model.safetensors")
        let whole = try checkpoint.contents("model.safetensors")
        for (count, error) in try Self.cuts(whole) {
            try checkpoint.write("model.safetensors", (whole + [0])[..<count])
            try checkpoint.expectRefusal(.safetensors(path: path, error))
        }
    }

    @Test func modelCutAtATensorsEdgeDoesNotOpen() throws {
        let directory = try TemporaryDirectory()
        let whole = try CheckpointCopy().converted()
        for (count, error) in try Self.cuts(whole) {
            let path = try directory.write("model.safetensors", (whole + [0])[..<count])
            #expect(throws: ModelError.safetensors(path: path, error), "\(count) bytes") {
                try EmbeddingModel(path: path)
            }
        }
    }

    @Test func modelCutWhileItIsOpenIsFoundBeforeItIsRead() throws {
        let directory = try TemporaryDirectory()
        let whole = try CheckpointCopy().converted()
        let path = try directory.write("model.safetensors", whole)
        let embedder = try Embedder(modelPath: path, .init(threadCount: 1))
        _ = try embedder.embed(["a"])
        try directory.cut("model.safetensors", to: whole.count / 2)
        #expect(throws: EmbeddingError.file(FileError(path: path, reason: .changed))) {
            try embedder.embed(["a"])
        }
    }
}

extension TemporaryDirectory {
    fileprivate func cut(_ name: String, to count: Int) throws {
        let handle = try FileHandle(forWritingTo: url.appending(path: name))
        try handle.truncate(atOffset: UInt64(count))
        try handle.close()
    }
}
