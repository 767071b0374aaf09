import Foundation
import Safetensors
import TestSupport
import Testing

struct MappedFileTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func bytesAreThoseOfTheFile() throws {
        let file = try MappedFile(path: directory.write("f", [1, 2, 3]))
        #expect(Array(file.bytes) == [1, 2, 3])
        try file.checkUnchanged()
    }

    @Test func directoryIsNotRegular() {
        let path = directory.url.path
        #expect(throws: FileError(path: path, reason: .notRegular)) { try MappedFile(path: path) }
    }

    @Test(.timeLimit(.minutes(10)))
    func pipeThatNobodyWritesIsNotRegular() {
        let path = directory.path("fifo")
        #expect(mkfifo(path, 0o600) == 0)
        #expect(throws: FileError(path: path, reason: .notRegular)) { try MappedFile(path: path) }
    }

    @Test func deviceIsNotRegular() {
        let expected = FileError(path: "/dev/zero", reason: .notRegular)
        #expect(throws: expected) { try MappedFile(path: "/dev/zero") }
    }

    @Test func missingFileIsNamed() {
        let path = directory.path("missing")
        #expect(throws: FileError(path: path, reason: .system(.noSuchFileOrDirectory))) {
            try MappedFile(path: path)
        }
    }

    @Test func fileBelowAFileIsNamed() throws {
        let path = try directory.write("f", [1]) + "/g"
        #expect(throws: FileError(path: path, reason: .system(.notDirectory))) {
            try MappedFile(path: path)
        }
    }

    @Test func linkToItselfIsNamed() throws {
        let path = directory.path("loop")
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path)
        #expect(throws: FileError(path: path, reason: .system(.tooManySymbolicLinkLevels))) {
            try MappedFile(path: path)
        }
    }

    @Test func emptyPathIsMissing() {
        #expect(throws: FileError(path: "", reason: .system(.noSuchFileOrDirectory))) {
            try MappedFile(path: "")
        }
    }

    @Test func emptyFileIsEmpty() throws {
        let path = try directory.write("empty", [])
        #expect(throws: FileError(path: path, reason: .empty)) { try MappedFile(path: path) }
    }

    @Test(.disabled(if: geteuid() == 0, "root may read everything"))
    func fileWithoutPermissionIsNamed() throws {
        let path = try directory.write("secret", [1])
        #expect(chmod(path, 0) == 0)
        #expect(throws: FileError(path: path, reason: .system(.permissionDenied))) {
            try MappedFile(path: path)
        }
    }

    @Test func truncationIsFound() throws {
        let path = try directory.write("f", [UInt8](repeating: 1, count: 10_000))
        let file = try MappedFile(path: path)
        #expect(truncate(path, 5000) == 0)
        #expect(throws: FileError(path: path, reason: .changed)) { try file.checkUnchanged() }
    }

    @Test func growthIsFound() throws {
        let path = try directory.write("f", [1, 2, 3])
        let file = try MappedFile(path: path)
        #expect(truncate(path, 5000) == 0)
        #expect(throws: FileError(path: path, reason: .changed)) { try file.checkUnchanged() }
    }

    @Test func rewritingInPlaceIsFound() throws {
        let path = try directory.write("f", [1, 2, 3])
        // A time of its own, so that the write is later by the clock of any file system.
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_000_000)], ofItemAtPath: path)
        let file = try MappedFile(path: path)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.write(contentsOf: [4])
        try handle.close()
        #expect(throws: FileError(path: path, reason: .changed)) { try file.checkUnchanged() }
    }

    @Test func replacementByRenamingLeavesTheMappingAsItWas() throws {
        let path = try directory.write("f", [1, 2, 3])
        let file = try MappedFile(path: path)
        let other = try directory.write("g", [9, 9, 9, 9])
        #expect(rename(other, path) == 0)
        try file.checkUnchanged()
        #expect(Array(file.bytes) == [1, 2, 3])
    }

    @Test func removalLeavesTheMappingAsItWas() throws {
        let path = try directory.write("f", [1, 2, 3])
        let file = try MappedFile(path: path)
        #expect(unlink(path) == 0)
        try file.checkUnchanged()
        #expect(Array(file.bytes) == [1, 2, 3])
    }

    @Test func aPartIsBroughtIntoMemory() throws {
        let path = try directory.write("f", [UInt8](repeating: 7, count: 3_000_001))
        let file = try MappedFile(path: path)
        file.load(0..<0)
        #expect(try residentByteCount(of: path) == 0)
        file.load(5000..<2_500_000)
        let part = try residentByteCount(of: path)
        #expect(part >= 2_495_000 && part < 2_900_000)
        file.load(2_999_999..<3_000_001)
        file.load(0..<3_000_001)
        #expect(try residentByteCount(of: path) >= 3_000_001)
    }

    @Test(arguments: [0, 1, 4096, 2_200_000, 3_000_001, 9_000_000])
    func largePagesChangeNoByte(offset: Int) throws {
        let bytes = (0..<3_000_001).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let file = try MappedFile(path: directory.write("f", bytes))
        file.useLargePages(from: offset)
        file.load(0..<bytes.count)
        #expect(file.bytes.elementsEqual(bytes))
    }

    /// What of a mapped file this process has in memory.
    private func residentByteCount(of path: String) throws -> Int {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/smaps"))
        let maps = String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
        let lines = maps.split(separator: "\n").drop(while: { !$0.hasSuffix(path) })
        let line = try #require(lines.first(where: { $0.hasPrefix("Rss:") }))
        return try #require(Int(line.split(separator: " ")[1])) * 1024
    }
}
