import EmbeddingServer
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct LineReaderTests {
    private func events(_ text: String, limit: Int) throws -> [LineReader.Event] {
        let directory = try TemporaryDirectory()
        let path = try directory.write("lines", text.utf8)
        let file = try FileDescriptor.open(FilePath(path), .readOnly)
        defer { try? file.close() }
        var reader = LineReader(file, lineLimit: limit)
        var events: [LineReader.Event] = []
        while true {
            let event = try reader.next()
            events.append(event)
            if event == .end { return events }
        }
    }

    @Test(
        arguments: [
            ("", []), ("\n", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\nb", ["a", "b"]),
            ("\n\na\r\n", ["", "", "a\r"]),
        ] as [(String, [String])])
    func linesEndWithNewlinesOrTheInput(text: String, expected: [String]) throws {
        #expect(try events(text, limit: 10) == expected.map { .line(Array($0.utf8)) } + [.end])
    }

    @Test func longLinesAreSkippedAndCounted() throws {
        let long = String(repeating: "x", count: 1_000_000)
        #expect(
            try events("abc\n\(long)\nabcd\nabcde\n\(long)", limit: 4) == [
                .line(Array("abc".utf8)), .tooLong(byteCount: 1_000_000),
                .line(Array("abcd".utf8)), .tooLong(byteCount: 5), .tooLong(byteCount: 1_000_000),
                .end,
            ])
    }

    @Test func linesLongerThanABlockArriveWhole() throws {
        let long = String(repeating: "é", count: 300_000)
        #expect(
            try events("\(long)\nx\n\(long)", limit: 1 << 20) == [
                .line(Array(long.utf8)), .line(Array("x".utf8)), .line(Array(long.utf8)), .end,
            ])
    }
}
