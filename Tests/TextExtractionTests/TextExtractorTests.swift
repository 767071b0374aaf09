import Foundation
import TestSupport
import Testing
import TextExtraction

private func extract(_ name: String, _ bytes: some Sequence<UInt8>) throws -> ExtractedText {
    let directory = try TemporaryDirectory()
    return try TextExtractor().extract(path: try directory.write(name, bytes))
}

/// The bytes that a part of the text came from.
private func source(
    of part: String, in extracted: ExtractedText, _ bytes: [UInt8]
) throws -> [UInt8] {
    let range = try #require(extracted.text.range(of: part))
    let utf8 = extracted.text.utf8
    let start = utf8.distance(from: utf8.startIndex, to: range.lowerBound)
    return Array(bytes[try #require(extracted.byteRange(of: start..<start + part.utf8.count))])
}

private func utf16(_ text: String, bigEndian: Bool) -> [UInt8] {
    text.utf16.flatMap { unit in
        let pair = [UInt8(truncatingIfNeeded: unit), UInt8(unit >> 8)]
        return bigEndian ? pair.reversed() : pair
    }
}

@Suite struct TextExtractorTests {
    static let text = String(repeating: "Grüße, 漢字 👍🏽 e\u{301}\r\n", count: 1000) + "das Ende 🇩🇪"

    @Test func utf8IsTakenAsItIs() throws {
        let bytes = Array(Self.text.utf8)
        let extracted = try extract("a.txt", bytes)
        #expect(Array(extracted.text.utf8) == bytes)
        #expect(extracted.byteRange(of: 5..<9) == 5..<9)
        let marked = try extract("a.txt", [0xEF, 0xBB, 0xBF] + bytes)
        #expect(Array(marked.text.utf8) == bytes)
        #expect(marked.byteRange(of: 5..<9) == 8..<12)
    }

    @Test(arguments: [false, true])
    func utf16IsDecodedByItsByteOrderMark(bigEndian: Bool) throws {
        let bytes =
            (bigEndian ? [0xFE, 0xFF] : [0xFF, 0xFE]) + utf16(Self.text, bigEndian: bigEndian)
        let extracted = try extract("a.txt", bytes)
        #expect(Array(extracted.text.utf8) == Array(Self.text.utf8))
        for part in ["Grüße", "漢字 👍🏽", "das Ende 🇩🇪"] {
            #expect(
                try source(of: part, in: extracted, bytes) == utf16(part, bigEndian: bigEndian))
        }
    }

    @Test func whatIsNotUTF8IsWindows1252() throws {
        let bytes =
            Array(repeating: Array("caf\u{E9} ".unicodeScalars), count: 3000)
            .joined().map { UInt8($0.value) } + [0x80, 0x93, 0x94, 0x9F, 0x81, 0xFF, 0x20]
            + Array("end".utf8)
        let extracted = try extract("a.txt", bytes)
        #expect(extracted.text.hasSuffix("café €“”Ÿ\u{81}ÿ end"))
        #expect(try source(of: "€“”Ÿ", in: extracted, bytes) == [0x80, 0x93, 0x94, 0x9F])
        #expect(try source(of: "end", in: extracted, bytes) == Array("end".utf8))
    }

    @Test func chunksStandWhereTheFileHasThem() throws {
        let bytes = [0xFF, 0xFE] + utf16(Self.text, bigEndian: false)
        let extracted = try extract("a.md", bytes)
        let chunks = Chunker(tokenizer: try TestTokenizers.best(), maximumTokenCount: 64)
            .chunks(of: extracted)
        #expect(chunks.count > 10)
        for chunk in chunks {
            #expect(Array(bytes[chunk.byteRange!]) == utf16(chunk.text, bigEndian: false))
        }
    }

    @Test(
        arguments: [
            ([0x61, 0x00, 0x62], .binary), ([0x00], .binary), ([0xE9, 0x00], .binary),
            ([0xFF, 0xFE, 0x61], .binary), ([0xFF, 0xFE, 0x00, 0xD8], .binary),
            ([0xFE, 0xFF, 0xDC, 0x00, 0x00, 0x61], .binary),
            ([0xFF, 0xFE, 0x00, 0x00, 0x61, 0x00, 0x00, 0x00], .binary),
            ([], .empty), ([0xEF, 0xBB, 0xBF], .empty), ([0xFF, 0xFE], .empty),
            ([0x20, 0x0D, 0x0A, 0xC2, 0xA0], .empty),
            (Array("\n<!DOCTYPE HTML>\n<p>".utf8), .noText(.html)),
            (
                Array(
                    "\u{89}PNG\r\n\u{1A}\n\0\0\0\rIHDR\0\0\0\u{1}".unicodeScalars.map {
                        UInt8($0.value)
                    }), .unsupported(MediaType(rawValue: "image/png"))
            ),
        ] as [([UInt8], ExtractionError)])
    func whatIsNoTextIsRefused(bytes: [UInt8], error: ExtractionError) {
        #expect(throws: error) { try extract("file", bytes) }
    }

    @Test(
        arguments: [
            ("a.txt", "x", .plainText), ("a", "x", .plainText), ("a.swift", "x", .sourceCode),
            (".md", "x", .plainText), ("a.MD", "x", .markdown),
            ("a.b.markdown", "x", .markdown), ("a.md", "<html>x", .markdown),
            ("a", "<HTML lang='en'>x", .html), ("a.htm", "x", .html), ("a.txt", "<html>x", .html),
            ("saved.pdf", "<!DOCTYPE html><p>x", .html), ("a.csv", "a,b\n1,2", .csv),
            ("a", "{\"a\": \"b\"}", .json),
            ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nx", .webVTT),
            ("a.bin", "{\\rtf1 x}", .rtf),
            (
                "a.bin", "From: a@b.org\nTo: c@d.org\nSubject: s\nMIME-Version: 1.0\n\ntext\n",
                .email
            ),
        ] as [(String, String, MediaType)])
    func theTypeFollowsContentThenName(name: String, content: String, type: MediaType) throws {
        #expect(try extract(name, content.utf8).mediaType == type)
    }

    @Test func theExtractedTextHasTheFilesType() throws {
        #expect(try extract("a.md", "# x".utf8).mediaType == .markdown)
        #expect(try extract("a.txt", "# x".utf8).mediaType == .plainText)
    }
}
