import Foundation
import Safetensors
import SystemPackage
import TestSupport
import Testing

struct AtomicFileWriterTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.url.path).sorted()
    }

    private func contents(_ path: String) throws -> [UInt8] {
        try Array(Data(contentsOf: URL(fileURLWithPath: path)))
    }

    @Test func committedFileHasWhatWasWritten() throws {
        let path = directory.path("f")
        let writer = try AtomicFileWriter(path: path)
        try writer.write([1, 2, 3])
        try [UInt8](4...6).withUnsafeBytes { try writer.write($0) }
        try writer.write([7])
        try writer.overwrite([9, 9], at: 1)
        try writer.commit()
        #expect(try contents(path) == [1, 9, 9, 4, 5, 6, 7])
        #expect(try names() == ["f"])
    }

    @Test func writesBeyondTheBufferKeepTheirOrder() throws {
        let path = directory.path("f")
        let writer = try AtomicFileWriter(path: path)
        var expected: [UInt8] = []
        for i in 0..<50 {
            let block = [UInt8](repeating: UInt8(i), count: 50_000)
            try writer.write(block)
            expected += block
        }
        try writer.commit()
        #expect(try contents(path) == expected)
    }

    /// Pieces of any length, small and large ones mixed, over the ends of several blocks.
    @Test func piecesOfAnyLengthKeepTheirOrder() throws {
        let path = directory.path("f")
        let writer = try AtomicFileWriter(path: path)
        var expected: [UInt8] = []
        for (i, count) in [1, 3_000_000, 0, 2_097_150, 1, 2_097_152, 5, 4_194_304, 70_000]
            .enumerated()
        {
            let piece = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ i) }
            if i.isMultiple(of: 2) {
                try writer.write(piece)
            } else {
                try piece.withUnsafeBytes { try writer.write($0) }
            }
            expected += piece
            if i == 4 {
                try writer.overwrite([200, 201], at: 2_097_151)
                expected.replaceSubrange(2_097_151..<2_097_153, with: [200, 201])
            }
        }
        try writer.commit()
        #expect(try contents(path) == expected)
    }

    @Test func abandonedWriterLeavesTheOldFile() throws {
        let path = try directory.write("f", [1, 2, 3])
        do {
            let writer = try AtomicFileWriter(path: path)
            try writer.write([UInt8](repeating: 9, count: 3 << 20))
            #expect(try names().count == 2)
        }
        #expect(try contents(path) == [1, 2, 3])
        #expect(try names() == ["f"])
    }

    @Test func abandonedWriterLeavesNoNewFile() throws {
        do {
            let writer = try AtomicFileWriter(path: directory.path("f"))
            try writer.write([1])
        }
        #expect(try names().isEmpty)
    }

    @Test func discardingTwiceAndAfterTheCommitDoesNothing() throws {
        let path = directory.path("f")
        let writer = try AtomicFileWriter(path: path)
        try writer.write([1])
        try writer.commit()
        writer.discard()
        #expect(try contents(path) == [1])
        let other = try AtomicFileWriter(path: path)
        other.discard()
        other.discard()
        #expect(try contents(path) == [1])
        #expect(try names() == ["f"])
    }

    @Test func writersOfOnePathDoNotMix() throws {
        let path = directory.path("f")
        let first = try AtomicFileWriter(path: path)
        try first.write([1, 1, 1, 1])
        let second = try AtomicFileWriter(path: path)
        try second.write([2])
        try first.commit()
        #expect(try contents(path) == [1, 1, 1, 1])
        try second.write([2])
        try second.commit()
        #expect(try contents(path) == [2, 2])
        #expect(try names() == ["f"])
    }

    @Test func readerOfTheOldFileKeepsIt() throws {
        let path = try directory.write("f", [1, 2, 3])
        let old = try MappedFile(path: path)
        let writer = try AtomicFileWriter(path: path)
        try writer.write([4])
        try writer.commit()
        try old.checkUnchanged()
        #expect(Array(old.bytes) == [1, 2, 3])
        #expect(try contents(path) == [4])
    }

    @Test func missingDirectoryIsNamed() throws {
        let path = directory.path("missing/f")
        #expect(
            throws: FileError(
                path: path, reason: .system(.noSuchFileOrDirectory), isWriting: true)
        ) {
            try AtomicFileWriter(path: path)
        }
        #expect(try names().isEmpty)
    }

    @Test(arguments: [("", Errno.noSuchFileOrDirectory), ("/", .isDirectory), ("x/", .isDirectory)])
    func pathWithoutANameIsRefused(path: String, errno: Errno) {
        #expect(throws: FileError(path: path, reason: .system(errno), isWriting: true)) {
            try AtomicFileWriter(path: path)
        }
    }

    @Test func directoryInTheWayStaysAndNothingIsLeft() throws {
        let path = directory.path("d")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(throws: FileError(path: path, reason: .system(.isDirectory), isWriting: true)) {
            try AtomicFileWriter(path: path)
        }
        #expect(try names() == ["d"])
    }

    @Test func whatIsNoRegularFileIsNotReplaced() throws {
        let path = directory.path("fifo")
        #expect(mkfifo(path, 0o600) == 0)
        #expect(throws: FileError(path: path, reason: .notRegular, isWriting: true)) {
            try AtomicFileWriter(path: path)
        }
        #expect(try names() == ["fifo"])
    }

    @Test func symbolicLinksAreFollowedAndPermissionsStay() throws {
        let (path, link) = (directory.path("f"), directory.path("link"))
        try Data([1]).write(to: URL(fileURLWithPath: path))
        #expect(chmod(path, 0o600) == 0)
        #expect(symlink(path, link) == 0)
        let writer = try AtomicFileWriter(path: link)
        try writer.write([2])
        try writer.commit()
        #expect(try contents(path) == [2])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == path)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
    }

    @Test func namesOfAnyLengthAreWritten() throws {
        let path = directory.path(String(repeating: "n", count: 250))
        let writer = try AtomicFileWriter(path: path)
        try writer.commit()
        #expect(try names().count == 1)
    }
}
