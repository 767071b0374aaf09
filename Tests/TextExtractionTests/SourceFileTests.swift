import Foundation
import SystemPackage
import TestSupport
import Testing
import TextExtraction

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct SourceFileTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = try directory.write("file.txt", "some text".utf8)
    }

    private func extract(_ path: String) throws -> String {
        try TextExtractor().extract(path: path).text
    }

    @Test func whatIsNotThereIsNotFound() {
        for path in ["", directory.path("none"), path + "/below", path + "\0.md"] {
            #expect(throws: ExtractionError.notFound) { try extract(path) }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func onlyRegularFilesAreRead() throws {
        let fifo = directory.path("fifo")
        #expect(mkfifo(fifo, 0o600) == 0)
        for path in [directory.url.path, fifo, "/dev/zero"] {
            #expect(throws: ExtractionError.notARegularFile) { try extract(path) }
        }
    }

    @Test func aLinkIsFollowed() throws {
        let link = directory.path("link")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        #expect(try extract(link) == "some text")
        let loop = directory.path("loop")
        try FileManager.default.createSymbolicLink(atPath: loop, withDestinationPath: loop)
        #expect(throws: ExtractionError.unreadable(.tooManySymbolicLinkLevels)) {
            try extract(loop)
        }
    }

    @Test(.disabled(if: geteuid() == 0, "root may read everything"))
    func aFileThatMayNotBeReadIsRefused() throws {
        #expect(chmod(path, 0) == 0)
        #expect(throws: ExtractionError.permissionDenied) { try extract(path) }
    }

    @Test func theSystemsErrorsBecomeTheCasesTheyMean() {
        #expect(ExtractionError(.permissionDenied) == .permissionDenied)
        #expect(ExtractionError(.notPermitted) == .permissionDenied)
        #expect(ExtractionError(.ioError) == .unreadable(.ioError))
    }

    @Test func theLimitIsTheLastSizeAccepted() throws {
        var limits = ExtractionLimits()
        for keyPath in [\ExtractionLimits.textByteCount, \.fileByteCount] {
            limits[keyPath: keyPath] = 9
            #expect(try TextExtractor(limits: limits).extract(path: path).text == "some text")
            limits[keyPath: keyPath] = 8
            #expect(throws: ExtractionError.tooLarge(bytes: 9, limit: 8)) {
                try TextExtractor(limits: limits).extract(path: path)
            }
            limits = ExtractionLimits()
        }
    }

    @Test(arguments: ["grown", "truncated", "rewritten"])
    func aFileThatChangesWhileItIsReadIsRefused(change: String) throws {
        let file = try SourceFile(path: path, maximumByteCount: 100)
        switch change {
        case "grown": try append()
        case "truncated": #expect(truncate(path, 3) == 0)
        default:
            // The clock of time stamps ticks every few milliseconds; this sets one apart.
            var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
            #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
        }
        do {
            _ = try file.read()
            Issue.record("read as if nothing had changed")
        } catch {
            #expect(error == .changedWhileRead)
        }
    }

    private func append() throws {
        let descriptor = try FileDescriptor.open(FilePath(path), .writeOnly, options: .append)
        defer { close(descriptor.rawValue) }
        _ = try descriptor.writeAll("!".utf8)
    }

    @Test func noMessageHasTextOfTheFile() throws {
        #expect(ExtractionError.tooLarge(bytes: 9, limit: 8).description.contains("9 bytes"))
        #expect(ExtractionError.unsupported(.pdf).description.contains("application/pdf"))
    }
}
