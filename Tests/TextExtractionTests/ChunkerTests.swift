import TestSupport
import Testing
import TextExtraction
import Tokenization

/// "w" is a token of its own, so that sizes can be counted.
private func words(_ count: Int, _ word: String = "w") -> String {
    Array(repeating: word, count: count).joined(separator: " ")
}

private func texts(
    _ text: String, window: Int = 32, _ type: MediaType = .markdown
) throws -> [String] {
    let chunker = Chunker(tokenizer: try TestTokenizers.best(), maximumTokenCount: window)
    return chunker.chunks(of: ExtractedText(text, mediaType: type)).map(\.text)
}

@Suite(.enabled(if: RealModel.isPresent, "the model is not set up: run tools/setup.sh"))
struct ChunkerTests {
    @Test func whatFitsTheWindowIsOneChunk() throws {
        #expect(try texts(" \n" + words(30) + "\r\n") == [words(30)])
        #expect(try texts(words(31)) == [words(30), "w"])
    }

    @Test func paragraphsArePackedUntilTheWindowIsFull() throws {
        let paragraphs = (0..<7).map { words(9) + " \($0)" }
        #expect(
            try texts(paragraphs.joined(separator: "\n\n")) == [
                paragraphs[..<3].joined(separator: "\n\n"),
                paragraphs[3..<6].joined(separator: "\n\n"), paragraphs[6],
            ])
    }

    @Test(arguments: [
        // Lines, sentences, words: the best that leaves a third.
        (
            words(12) + "\n" + words(12) + "\n" + words(12),
            [words(12) + "\n" + words(12), words(12)]
        ),
        (words(14) + ".\r\n" + words(20), [words(14) + ".", words(20)]),
        (words(14) + ". W " + words(20), [words(14) + ".", "W " + words(20)]),
        (words(14) + ".” W " + words(20), [words(14) + ".”", "W " + words(20)]),
        (words(14) + ". " + words(20), [words(14) + ". " + words(15), words(5)]),
        (words(3) + "\n\n" + words(30), [words(3) + "\n\n" + words(27), words(3)]),
        (words(12) + "\n\n" + words(30), [words(12), words(30)]),
    ])
    func theBestBorderThatLeavesAThirdIsTaken(text: String, expected: [String]) throws {
        #expect(try texts(text) == expected)
    }

    @Test func ideographicSentencesNeedNoSpace() throws {
        let sentence = String(repeating: "漢", count: 17) + "。」"
        #expect(try texts(sentence + sentence) == [sentence, sentence])
    }

    @Test func aHeadingOfLevelOneOrTwoStartsAChunkOnceAThirdIsFull() throws {
        for heading in ["# h", "## h", "h\n==="] {
            #expect(
                try texts(words(9) + "\n\n" + heading + "\nw") == [words(9), heading + "\nw"])
            #expect(try texts(words(3) + "\n\n" + heading + "\nw").count == 1)
        }
        #expect(try texts(words(9) + "\n\n### h\nw").count == 1)
        #expect(try texts(words(9) + "\n\n# h\nw", .plainText).count == 1)
    }

    @Test func aHeadingStaysWithWhatFollows() throws {
        for heading in ["#### h", "# h\n\n### i"] {
            let text = words(24) + "\n\n" + heading + "\n\n" + words(20)
            #expect(try texts(text) == [words(24), heading + "\n\n" + words(20)])
        }
        let long = "# h\n\n" + words(40)
        #expect(try texts(long).first?.hasPrefix("# h\n\nw w") == true)
    }

    @Test func fencedCodeIsKeptWholeWhereItFits() throws {
        let code = "```\n" + words(12) + "\n\n# " + words(8) + "\n```"
        #expect(
            try texts(words(5) + "\n" + code + "\n\n" + words(9)) == [words(5), code, words(9)])
        #expect(try texts("w w w\n## h\n" + code) == ["w w w", "## h\n" + code])
        let long = "~~~\n" + (0..<9).map { _ in words(9) + "\n" }.joined() + "~~~"
        for chunk in try texts(long).dropLast() { #expect(chunk.hasSuffix(words(9))) }
    }

    @Test func aWordIsCutOnlyIfNoWindowHoldsIt() throws {
        let word = Array(repeating: "w", count: 10).joined(separator: ".")
        #expect(
            try texts(words(5) + " " + word + word, window: 48) == [words(5) + " " + word + word])
        #expect(try texts(words(12) + " " + word, window: 32) == [words(12), word])
        #expect(try texts(words(8) + " " + word + "." + word, window: 44).first == words(8))
        let ideographs = String(repeating: "漢", count: 70)
        #expect(try texts("w " + ideographs).map(\.count) == [31, 30, 11])
    }

    @Test func graphemesAreNotCut() throws {
        for unit in ["한", "漢\u{E0100}", "각\u{301}", "!\u{FE0F}", "क्षि"] {
            let text = String(repeating: unit, count: 40)
            for window in 8...12 {
                #expect(try texts(text, window: window).joined().count == text.count)
                for chunk in try texts(text, window: window) {
                    #expect(chunk.allSatisfy { $0 == Character(unit) || unit.count > 1 })
                }
            }
        }
    }

    @Test func chunkingTwiceGivesTheSame() throws {
        var random = RandomText(seed: 7)
        let text = random.next(partCount: 5000)
        #expect(try texts(text) == texts(text))
    }

    @Test func anAppendedParagraphChangesTheLastChunkAlone() throws {
        for seed in 0..<UInt64(Build.isOptimized ? 1000 : 50) {
            var random = RandomText(seed: seed)
            let text = random.next(partCount: 300)
            for type in [MediaType.plainText, .markdown] {
                // An open fence would swallow what is appended.
                if type == .markdown, text.contains("```") || text.contains("~~~") { continue }
                let before = try texts(text, type)
                let after = try texts(text + "\n\nA new paragraph at the end.", type)
                #expect(
                    Array(after.prefix(max(before.count - 1, 0))) == before.dropLast(),
                    "seed \(seed)")
            }
        }
    }

    @Test func anEditChangesNoChunkThatIsTwoWindowsBeforeIt() throws {
        let tokenizer = try TestTokenizers.best()
        let chunker = Chunker(tokenizer: tokenizer, maximumTokenCount: 32)
        for seed in 0..<UInt64(Build.isOptimized ? 1000 : 50) {
            var random = RandomText(seed: seed)
            let (start, end) = (random.next(partCount: 200) + " ", random.next(partCount: 100))
            let before = chunker.chunks(of: ExtractedText(start + end))
            let after = chunker.chunks(of: ExtractedText(start + "new\n\n words " + end))
            for (i, chunk) in before.enumerated()
            where chunk.byteRange!.lowerBound < start.utf8.count {
                let between = start.utf8.dropFirst(chunk.byteRange!.lowerBound)
                guard tokenizer.tokenCount(String(decoding: between, as: UTF8.self)) > 66 else {
                    break
                }
                #expect(after[i] == chunk, "seed \(seed)")
            }
        }
    }

    @Test func chunksAreTheSameAgainBehindTheHeadingAfterAnEdit() throws {
        let sections = (0..<30).map { i in
            "## Section \(i)\n\n" + (0..<8).map { words(5 + i * $0 % 13) }.joined(separator: "\n\n")
        }
        var edited = sections
        edited[10] += "\n\n" + words(17, "new")
        let before = try texts(sections.joined(separator: "\n\n"))
        let after = try texts(edited.joined(separator: "\n\n"))
        let changed = Set(after).subtracting(before)
        #expect((1...4).contains(changed.count))
        #expect(after.last == before.last)
    }

    @Test(.enabled(if: Build.isOptimized))
    func twentyMegabytesTakeSeconds() throws {
        let paragraph = (0..<9).map {
            "The quick brown fox number \($0) jumps over unbelievably lazy dogs, again and again. "
        }.joined()
        let text = String(repeating: paragraph + "\n\n", count: 20_000_000 / (paragraph.count + 2))
        let chunker = Chunker(tokenizer: try TestTokenizers.best(), maximumTokenCount: 256)
        var chunks: [TextChunk] = []
        let time = ProcessorTime.ofThread { chunks = chunker.chunks(of: ExtractedText(text)) }
        #expect(chunks.count > 1000)
        #expect(time < .seconds(20))
    }
}
