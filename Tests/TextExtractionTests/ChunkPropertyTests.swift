import TestSupport
import Testing
import TextExtraction
import Tokenization

/// What holds for every text.
@Suite struct ChunkPropertyTests {
    static let roundCount: UInt64 = Build.isOptimized ? 4000 : 150

    private static func tokenizers() throws -> [Tokenizer] {
        [
            try TestTokenizers.best(), try TestTokenizers.cased(),
            try TestTokenizers.withSpacedTokens(),
        ]
    }

    @Test func chunksFitTheWindowAndHoldTheWholeText() throws {
        let tokenizers = try Self.tokenizers()
        for seed in 0..<Self.roundCount {
            var random = RandomText(seed: seed)
            var generator = SeededGenerator(seed: seed)
            let text = random.next(partCount: Int.random(in: 1...400, using: &generator))
            let window = [8, 9, 13, 32, 64, 256].randomElement(using: &generator)!
            let tokenizer = tokenizers[Int(seed % 3)]
            let type = Bool.random(using: &generator) ? MediaType.markdown : .plainText
            let chunks = Chunker(tokenizer: tokenizer, maximumTokenCount: window)
                .chunks(of: ExtractedText(text, mediaType: type))
            check(chunks, of: text, tokenizer, window, "seed \(seed)")
        }
    }

    @Test(arguments: [
        "", " \n\t\r\n", "\u{7}\u{200B}\u{FEFF}", "\u{301}", "x", "\n\n# \n\n", "```", "---",
    ])
    func oddTextsFitTheWindowAndAreWhole(text: String) throws {
        for type in [MediaType.plainText, .markdown] {
            let tokenizer = try TestTokenizers.best()
            let chunks = Chunker(tokenizer: tokenizer, maximumTokenCount: 16)
                .chunks(of: ExtractedText(text, mediaType: type))
            check(chunks, of: text, tokenizer, 16, text.debugDescription)
            #expect(chunks.count <= 1)
        }
    }

    @Test func textTheTokenizerDoesNotSeeIsLeftOut() throws {
        let chunker = Chunker(tokenizer: try TestTokenizers.best(), maximumTokenCount: 16)
        for text in ["", " \r\n\t\u{3000}", "\u{7}\u{8}", "\u{200B} \u{FEFF}", "\u{301}\u{302}"] {
            #expect(chunker.chunks(of: ExtractedText(text)) == [])
        }
    }

    /// A quadratic chunker would need hours for these.
    @Test(
        .enabled(if: Build.isOptimized, "takes minutes in a debug build"), .timeLimit(.minutes(2)),
        arguments: [
            "a", "漢", "ab.", "abcdefghij-", "한", "👨‍👩‍👧‍👦", "🇩🇪", "e\u{301}", "\u{301}", "\u{200B}", " ",
            "\n",
            "# \n", "- \n\n", "```\n", "漢🇩🇪", "。", "supercalifragilistic", "a\u{200B}", "#a\n\n",
        ])
    func aMegabyteOfOneThingTakesLinearTime(unit: String) throws {
        let text = String(repeating: unit, count: 1_000_000 / unit.utf8.count)
        for (window, tokenizer) in [
            (256, try TestTokenizers.best()), (8, try TestTokenizers.best()),
            (16, try TestTokenizers.cased()),
        ] {
            let chunks = Chunker(tokenizer: tokenizer, maximumTokenCount: window)
                .chunks(of: ExtractedText(text, mediaType: .markdown))
            check(chunks, of: text, tokenizer, window, unit.debugDescription)
        }
    }

    /// Rests on the reference's rules: what the tokenizer makes of one side of white space does not
    /// depend on the other.
    @Test func tokenCountsAreAdditiveOverWhitespace() throws {
        for tokenizer in try Self.tokenizers().prefix(2) {
            for seed in 0..<Self.roundCount {
                var random = RandomText(seed: seed)
                let (left, right) = (random.next(partCount: 20), random.next(partCount: 20))
                let sum = tokenizer.tokenCount(left) + tokenizer.tokenCount(right) - 2
                for space in [" ", "\n", "\r\n", "\t", "\u{A0}", "\u{3000}", "\u{2028}"] {
                    #expect(tokenizer.tokenCount(left + space + right) == sum, "seed \(seed)")
                }
            }
        }
    }

    private func check(
        _ chunks: [TextChunk], of text: String, _ tokenizer: Tokenizer, _ window: Int,
        _ comment: String
    ) {
        let bytes = Array(text.utf8)
        var end = 0
        /// Where one chunk ends and the next starts with no white space between.
        var borders: [Int] = []
        for (i, chunk) in chunks.enumerated() {
            let count = tokenizer.tokenCount(chunk.text)
            guard let range = chunk.byteRange,
                chunk.ordinal == i, count == chunk.tokenCount, 2 < count, count <= window,
                range.lowerBound >= end,
                Array(chunk.text.utf8) == Array(bytes[range]),
                chunk.text.unicodeScalars.first?.properties.isWhitespace == false,
                chunk.text.unicodeScalars.last?.properties.isWhitespace == false,
                isUnseen(bytes[end..<range.lowerBound], tokenizer)
            else {
                Issue.record("chunk \(i) of \(comment): \(chunk)")
                return
            }
            if range.lowerBound == end { borders.append(end) }
            end = range.upperBound
        }
        #expect(isUnseen(bytes[end...], tokenizer), "the end of \(comment)")
        var start = 0
        var next = borders.dropFirst(borders.first == 0 ? 1 : 0)[...]
        for character in text {
            let size = character.utf8.count
            if let border = next.first, border < start + size {
                let isTooLong = tokenizer.tokenCount(String(character)) > window
                #expect(border == start || isTooLong, "a grapheme is cut in \(comment)")
                next = next.drop { $0 < start + size }
            }
            start += size
        }
    }

    /// Whether no chunk need hold this: white space, or what the tokenizer sees nothing in.
    private func isUnseen(_ bytes: ArraySlice<UInt8>, _ tokenizer: Tokenizer) -> Bool {
        let text = String(validating: bytes, as: UTF8.self)
        return text.map { $0.isEmpty || tokenizer.tokenCount($0) == 2 } ?? false
    }
}
