import Testing
import Tokenization

private let words = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##able", "##a", "##ble", "able", "e",
    "hello", ",",
    "東", "##e", "Ab", "ab", "É", "##c", "\u{1100}", "##\u{1161}", "i",
]

private func id(_ token: String) -> Int32 { Int32(words.firstIndex(of: token)!) }

private func tokenizer(
    _ change: (inout TokenizerSettings) -> Void = { _ in }
) throws(TokenizerError) -> Tokenizer {
    var settings = TokenizerSettings(
        tokens: TokenList(words.map { Array($0.utf8) }), addedTokenIDs: [0, 1, 2, 3, 4])
    change(&settings)
    return try Tokenizer(settings)
}

private func pieces(_ text: String, _ tokenizer: Tokenizer) -> [String] {
    tokenizer.encode(text).ids.dropFirst().dropLast().map { tokenizer.token($0) ?? "?" }
}

@Suite struct TokenizerTests {
    @Test(
        arguments: [
            ("", []), (" \t\n", []), ("unable", ["un", "##able"]), ("UNABLE", ["un", "##able"]),
            ("unablx", ["[UNK]"]), ("hello,hello", ["hello", ",", "hello"]), ("é", ["e"]),
            ("e\u{301}", ["e"]), ("he\u{0}l\u{AD}lo", ["hello"]), ("東東", ["東", "東"]),
            ("a東b", ["[UNK]", "東", "[UNK]"]), ("[MASK]hello[SEP]", ["[MASK]", "hello", "[SEP]"]),
            ("[mask]", ["[UNK]", "[UNK]", "[UNK]"]), ("가", ["\u{1100}", "##\u{1161}"]),
            ("İ", ["i"]), ("\u{FEFF}hello\u{FFFD}", ["hello"]),
            ("hello\u{2028}hello", ["hello", "hello"]),
        ] as [(String, [String])])
    func textBecomesThesePieces(text: String, expected: [String]) throws {
        #expect(pieces(text, try tokenizer()) == expected)
    }

    @Test func wordsAreUnknownBeyondTheLimit() throws {
        let tokenizer = try tokenizer { $0.maximumWordScalarCount = 5 }
        #expect(pieces("unable", tokenizer) == ["[UNK]"])
        #expect(pieces("hello", tokenizer) == ["hello"])
        #expect(tokenizer.encode("a unable").offsets == [0..<0, 0..<1, 2..<8, 0..<0])
    }

    @Test func aCasedTokenizerKeepsCaseAndAccents() throws {
        let cased = try tokenizer {
            $0.lowercase = false
            $0.stripAccents = false
        }
        #expect(pieces("Ab É ab", cased) == ["Ab", "É", "ab"])
        let accented = try tokenizer { $0.lowercase = false }
        #expect(pieces("É", accented) == ["[UNK]"])
    }

    @Test func addedTokensBeyondTheWordPiecesAreOnlyFoundWhole() throws {
        let tokenizer = try tokenizer {
            $0.tokens.append("hellohello".utf8)
            $0.addedTokenIDs.append(Int32(words.count))
            $0.wordPieceCount = words.count
        }
        #expect(pieces("xhellohello", tokenizer) == ["[UNK]", "hellohello"])
        #expect(pieces("HELLOHELLO", tokenizer) == ["[UNK]"])
    }

    @Test func theLongestAddedTokenWins() throws {
        let tokenizer = try tokenizer {
            $0.tokens.append("[MASK]s".utf8)
            $0.addedTokenIDs.append(Int32(words.count))
        }
        #expect(pieces("[MASK]s[MASK]", tokenizer) == ["[MASK]s", "[MASK]"])
    }

    @Test func offsetsAreBytesOfTheOriginalText() throws {
        let encoding = try tokenizer().encode("É 東 un\u{AD}able[SEP]")
        #expect(encoding.ids == [2, id("e"), id("東"), id("un"), id("##able"), 3, 3])
        #expect(encoding.offsets == [0..<0, 0..<2, 3..<6, 7..<9, 11..<15, 15..<20, 0..<0])
    }

    @Test func offsetsNeverRunBackwardsWhereMarksAreReordered() throws {
        let cased = try tokenizer { $0.cleanText = false }
        let marks = ["\u{1D165}", "\u{334}", "\u{1D16D}", "\u{345}", "\u{16FF0}", "\u{302E}"]
        for a in marks {
            for b in marks {
                for c in marks {
                    let offsets = cased.encode("x" + a + b + c + "\u{344}" + a).offsets
                    #expect(offsets.allSatisfy { $0.lowerBound <= $0.upperBound })
                }
            }
        }
    }

    @Test(
        arguments: [
            (Truncation.Direction.right, 2, [], 4), (.right, 3, ["hello"], 3),
            (.right, 5, ["hello", ",", "un"], 1), (.right, 6, ["hello", ",", "un", "##able"], 0),
            (.left, 2, [], 4), (.left, 3, ["##able"], 3), (.left, 5, [",", "un", "##able"], 1),
            (.left, 100, ["hello", ",", "un", "##able"], 0),
        ] as [(Truncation.Direction, Int, [String], Int)])
    func truncationDropsTokensOfOneEnd(
        direction: Truncation.Direction, limit: Int, expected: [String], dropped: Int
    ) throws {
        let tokenizer = try tokenizer()
        let window = Truncation(maximumTokenCount: limit, direction: direction)
        let encoding = tokenizer.encode("hello, unable", truncation: window)
        #expect(encoding.ids.dropFirst().dropLast().map { tokenizer.token($0) } == expected)
        #expect(encoding.ids.first == 2)
        #expect(encoding.ids.last == 3)
        #expect(encoding.droppedTokenCount == dropped)
        #expect(encoding.offsets.count == encoding.ids.count)
        #expect(
            tokenizer.encodeIDs("hello, unable", truncation: window).ids == encoding.ids)
    }

    @Test func anUnknownWordAtTheEdgeOfTheWindowIsOneToken() throws {
        let window = Truncation(maximumTokenCount: 3)
        let encoding = try tokenizer().encode("unablx hello", truncation: window)
        #expect(encoding.ids == [2, 1, 3])
        #expect(encoding.droppedTokenCount == 1)
    }

    @Test func settingsThatMakeNoTokenizerAreRefused() {
        func settings(_ tokens: [String]) -> TokenizerSettings {
            TokenizerSettings(tokens: TokenList(tokens.map { Array($0.utf8) }))
        }
        let special = ["[UNK]", "[CLS]", "[SEP]"]
        #expect(throws: TokenizerError.emptyVocabulary) { try Tokenizer(settings([])) }
        #expect(throws: TokenizerError.emptyToken(id: 3)) {
            try Tokenizer(settings(special + [""]))
        }
        #expect(throws: TokenizerError.duplicateToken("a", ids: [3, 4])) {
            try Tokenizer(settings(special + ["a", "a"]))
        }
        for (i, token) in special.enumerated() {
            var tokens = special
            tokens.remove(at: i)
            #expect(throws: TokenizerError.missingToken(token)) { try Tokenizer(settings(tokens)) }
        }
        #expect(throws: TokenizerError.tokenNotUTF8(id: 0)) {
            try Tokenizer(TokenizerSettings(tokens: TokenList([[0xFF]])))
        }
        #expect(throws: TokenizerError.addedTokenOutOfRange(id: 99, vocabularySize: words.count)) {
            try tokenizer { $0.addedTokenIDs = [99] }
        }
        #expect(throws: TokenizerError.wordLimitOutOfRange(0)) {
            try tokenizer { $0.maximumWordScalarCount = 0 }
        }
        #expect(
            throws: TokenizerError.wordPieceCountOutOfRange(99, vocabularySize: words.count)
        ) { try tokenizer { $0.wordPieceCount = 99 } }
    }
}
