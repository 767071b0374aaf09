import TestSupport
import Testing
import TextExtraction
import Tokenization

@Suite struct ChunkOptionTests {
    private func text(_ sections: Int) -> String {
        (0..<sections).map { section in
            "## Section \(section)\n\n"
                + (0..<12).map { "Sentence \($0) of part \(section) is here. " }.joined()
        }.joined(separator: "\n\n")
    }

    private func chunks(
        _ text: String, _ options: ChunkOptions, window: Int = 64, title: String? = nil
    ) throws -> [TextChunk] {
        let tokenizer = try TestTokenizers.best()
        let chunks = Chunker(tokenizer: tokenizer, maximumTokenCount: window, options)
            .chunks(of: ExtractedText(text, mediaType: .markdown), title: title)
        for chunk in chunks {
            let count = tokenizer.tokenCount(chunk.context + chunk.text)
            #expect(count == chunk.tokenCount && count <= window)
        }
        return chunks
    }

    @Test func theContextIsCountedAndNamesWhatIsAbove() throws {
        let options = ChunkOptions(context: ContextTemplate("{title} > {headings}"))
        let chunks = try chunks("# Top\n\n" + text(3), options, title: "Book")
        #expect(chunks.contains { $0.context == "Book > Top > Section 1\n" })
        // What a chunk begins with itself is not put before it.
        let starts = chunks.filter { $0.text.hasPrefix("## Section") }
        #expect(!starts.isEmpty && starts.allSatisfy { !$0.context.contains("Section") })
        #expect(starts.allSatisfy { $0.place.headings.count == 2 })
    }

    @Test func aLongContextLeavesRoomForTheText() throws {
        let long = (0..<6).map { level in
            String(repeating: "#", count: level + 1) + " "
                + String(repeating: "very long heading ", count: 12)
        }.joined(separator: "\n\n")
        let options = ChunkOptions(context: .standard)
        _ = try chunks(long + "\n\n" + text(1), options, title: String(repeating: "t ", count: 99))
    }

    @Test func chunksOverlapByWholeSentences() throws {
        let plain = (0..<40).map { "Sentence \($0) is here. " }.joined()
        let chunks = try chunks(plain, ChunkOptions(overlapTokenCount: 16))
        #expect(chunks.count > 3)
        for (left, right) in zip(chunks, chunks.dropFirst()) {
            let (end, start) = (left.byteRange!.upperBound, right.byteRange!.lowerBound)
            #expect(start < end)
            #expect(right.text.hasPrefix("Sentence"))
        }
        #expect(try self.chunks(plain, ChunkOptions()).count < chunks.count)
    }

    @Test func aChunkThatBeginsWithAHeadingDoesNotOverlap() throws {
        let chunks = try chunks(text(4), ChunkOptions(overlapTokenCount: 16))
        for chunk in chunks where chunk.place.headings.last.map(chunk.text.contains) == true {
            #expect(chunk.text.hasPrefix("## "))
        }
    }

    @Test func theSizeIsNeverBeyondTheWindow() throws {
        #expect(
            try chunks(text(2), ChunkOptions(tokenCount: 1000)).allSatisfy { $0.tokenCount <= 64 })
        #expect(
            try chunks(text(2), ChunkOptions(tokenCount: 24)).allSatisfy { $0.tokenCount <= 24 })
    }

    @Test func anEditAtTheEndChangesTheChunksItTouches() throws {
        for options in [
            ChunkOptions(overlapTokenCount: 12, context: .standard),
            ChunkOptions(tokenCount: 40, overlapTokenCount: 8),
        ] {
            let before = try chunks(text(8), options, title: "t")
            let after = try chunks(text(8) + "\n\nOne more paragraph.", options, title: "t")
            #expect(Array(after.prefix(before.count - 1)) == before.dropLast())
        }
    }

    @Test func tablesOfMarkdownAreKeptWhole() throws {
        let table = "| a | b |\n|---|---|\n" + (0..<6).map { "| w \($0) | v |\n" }.joined()
        let text = String(repeating: "word ", count: 30) + "\n\n" + table
        #expect(try chunks(text, ChunkOptions()).last?.text == table.dropLast().description)
    }

    @Test func functionsOfSourceCodeAreKeptTogether() throws {
        let code = (0..<6).map { "func f\($0)() {\n    let a = \($0)\n\n    print(a)\n}" }
            .joined(separator: "\n\n")
        let chunks = Chunker(tokenizer: try TestTokenizers.best(), maximumTokenCount: 48)
            .chunks(of: ExtractedText(code, mediaType: .sourceCode))
        #expect(chunks.count > 1)
        for chunk in chunks {
            #expect(chunk.text.hasPrefix("func") && chunk.text.hasSuffix("}"))
        }
    }
}
