import Foundation
import TestSupport
import Testing
import TextExtraction

/// One document of each type, made by other programs (tools/make-documents.py), with the words that
/// it holds.
@Suite struct DocumentTests {
    static let types: [(name: String, type: MediaType)] = [
        ("river.pdf", .pdf), ("river.docx", .docx), ("river.pptx", .pptx), ("river.odt", .odt),
        ("river.epub", .epub), ("river.rtf", .rtf), ("river.html", .html),
        ("river.md", .markdown), ("river.csv", .csv), ("river.json", .json),
        ("river.jsonl", .jsonLines), ("river.eml", .email), ("river.swift", .sourceCode),
        ("river.srt", .subRip), ("river.vtt", .webVTT), ("koi8-r.txt", .plainText),
        ("windows-1251.txt", .plainText), ("shift-jis.txt", .plainText),
        ("euc-jp.txt", .plainText), ("gb18030.txt", .plainText), ("utf-16le.txt", .plainText),
    ]

    static func path(_ name: String) -> String {
        TestFiles.fixture("documents/\(name)").path
    }

    private static func words(_ text: String) -> [String: Int] {
        let words = text.split { !$0.isLetter && !$0.isNumber && $0 != "." }
            .map { $0.lowercased().trimmingCharacters(in: CharacterSet(charactersIn: ".")) }
        return words.filter { !$0.isEmpty }.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    @Test(arguments: types)
    func atLeast95PercentOfTheWordsAreExtracted(name: String, type: MediaType) throws {
        let extracted = try TextExtractor().extract(path: Self.path(name))
        #expect(extracted.mediaType == type)
        let truth = try String(contentsOfFile: Self.path(name + ".words"), encoding: .utf8)
        let (wanted, found) = (Self.words(truth), Self.words(extracted.text))
        let total = wanted.values.reduce(0, +)
        let missing = wanted.filter { $1 > found[$0, default: 0] }
        let missingCount = missing.reduce(0) { $0 + $1.value - found[$1.key, default: 0] }
        #expect(
            Double(total - missingCount) >= 0.95 * Double(total),
            "\(missingCount) of \(total) words: \(missing.keys.sorted())")
        #expect(!extracted.text.contains("HIDDEN"))
    }

    /// A table in a cell of another takes none of that cell's text away.
    @Test(arguments: ["nested.docx", "nested.odt"])
    func tablesWithinTablesAreExtracted(name: String) throws {
        let text = try TextExtractor().extract(path: Self.path(name)).text
        let words = text.split { !$0.isLetter }.map(String.init)
        #expect(words == ["upstream", "weir", "sluice", "downstream", "lock"])
    }

    private func chunks(_ name: String, window: Int = 40) throws -> [TextChunk] {
        let chunker = Chunker(tokenizer: try TestTokenizers.best(), maximumTokenCount: window)
        return chunker.chunks(of: try TextExtractor().extract(path: Self.path(name)))
    }

    private func place(of words: String, in name: String) throws -> SourcePlace {
        let chunk = try chunks(name).first { $0.text.contains(words) }
        return try #require(chunk, "\(words) in \(name)").place
    }

    @Test func aPDFKeepsThePage() throws {
        #expect(try place(of: "limestone", in: "river.pdf").pages == 1...1)
        #expect(try place(of: "mow the", in: "river.pdf").pages == 2...2)
    }

    @Test func aPresentationKeepsTheSlideOfTextAndNotes() throws {
        let place = try place(of: "mow the", in: "river.pptx")
        // The first slide is the title's.
        #expect(place.slides == 4...4 && place.headings == ["The meadow"])
        let notes = try #require(
            try chunks("river.pptx").first { $0.text.contains("slowly about the meadow") })
        #expect(notes.place.slides == 4...4)
    }

    @Test(arguments: ["river.docx", "river.odt", "river.md", "river.html"])
    func headingsBecomeThePath(name: String) throws {
        #expect(
            try place(of: "mow the", in: name).headings == ["The River Atlas", "The meadow"])
    }

    @Test func abookKeepsItsChapters() throws {
        let place = try place(of: "mow the", in: "river.epub")
        #expect(place.chapter == "The meadow")
        #expect(place.part?.hasSuffix(".xhtml") == true)
        let texts = try chunks("river.epub").map(\.text)
        let order = ["limestone", "mow the", "Mudflats"].map { word in
            texts.firstIndex { $0.contains(word) } ?? -1
        }
        #expect(order == order.sorted() && !order.contains(-1))
    }

    @Test func linesAreThoseOfTheFile() throws {
        for (name, words) in [
            ("river.md", "Storks follow"), ("river.html", "Storks follow"),
            ("river.csv", "barbel"), ("river.jsonl", "barbel"), ("river.swift", "area * 2"),
        ] {
            let chunk = try #require(
                try chunks(name, window: 24).first { $0.text.contains(words) }, "\(name)")
            let lines = try String(contentsOfFile: Self.path(name), encoding: .isoLatin1)
                .components(separatedBy: "\n")
            let range = try #require(chunk.place.lines, "\(name)")
            #expect(
                lines[range.lowerBound - 1..<min(range.upperBound, lines.count)]
                    .contains { $0.contains(words) }, "\(name): \(range)")
        }
    }

    @Test func subtitlesKeepTheTime() throws {
        #expect(
            try place(of: "under a cliff", in: "river.srt").milliseconds == 1000...3_608_000)
        #expect(
            try chunks("river.srt", window: 12).last?.place.milliseconds
                == 3_605_000...3_608_000)
    }

    @Test func anAttachmentIsNamed() throws {
        let chunk = try #require(
            try chunks("river.eml", window: 24).last { $0.text.contains("trout") })
        #expect(chunk.place.part == nil || chunk.place.part == "fish.csv")
    }

    @Test func bytesOfLegacyEncodingsAreTheFiles() throws {
        let data = try Data(contentsOf: TestFiles.fixture("documents/windows-1251.txt"))
        for chunk in try chunks("windows-1251.txt") {
            let range = try #require(chunk.byteRange)
            #expect(String(data: data[range], encoding: .windowsCP1251) == chunk.text)
        }
        // Two bytes each of their characters, here.
        for name in ["shift-jis.txt", "euc-jp.txt"] {
            let text = Array(try TextExtractor().extract(path: Self.path(name)).text.unicodeScalars)
            let chunks = try chunks(name)
            #expect(chunks.count > 1)
            for chunk in chunks {
                let range = try #require(chunk.byteRange)
                let scalars = text[range.lowerBound / 2..<range.upperBound / 2]
                #expect(Array(scalars) == Array(chunk.text.unicodeScalars), "\(name)")
            }
        }
    }

    @Test func aTableAndCodeAreKeptWhole() throws {
        for name in ["river.docx", "river.html", "river.md", "river.odt"] {
            let chunks = try chunks(name, window: 64)
            #expect(
                chunks.contains { $0.text.contains("Mill") && $0.text.contains("Harbour") },
                "\(name)")
            #expect(
                chunks.contains { $0.text.contains("discharge(") && $0.text.contains("* speed") },
                "\(name)")
        }
    }
}
