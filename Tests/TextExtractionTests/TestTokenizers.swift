import EmbeddingEngine
import TestSupport
import TextExtraction
import Tokenization

/// Tokenizers to chunk with.
enum TestTokenizers {
    /// The reference model's vocabulary where it is set up, else the small one of the fixtures.
    static func best() throws -> Tokenizer {
        RealModel.isPresent ? try RealModel.embedder.get().model.tokenizer : try small.get()
    }

    private static let small = Result { try TinyModel.embedder().model.tokenizer }

    /// Keeps case and accents, so that marks are tokens.
    static func cased() throws -> Tokenizer {
        var settings = try best().settings
        settings.lowercase = false
        settings.stripAccents = false
        return try Tokenizer(settings)
    }

    /// Has added tokens that hold white space: counts are not additive at all borders.
    static func withSpacedTokens() throws -> Tokenizer {
        var settings = try best().settings
        for token in ["a b", "e\n", " t"] {
            settings.addedTokenIDs.append(Int32(settings.tokens.count))
            settings.tokens.append(token.utf8)
        }
        return try Tokenizer(settings)
    }
}

/// Texts to chunk, at random but repeatable.
struct RandomText {
    private static let parts: [String] = [
        "word ", "Another ", "sentence. ", "Ends here! ", "unbelievable ", "e.g. ", "...", "(x)",
        "pneumonoultramicroscopicsilicovolcanoconiosis", String(repeating: "a", count: 130),
        "https://example.org/a/b?c=d", "[MASK]", "[SEP] ", "a b", "    let x = 1\n", "| a | b |\n",
        "\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\t", "  ", "\u{3000}", "\u{A0}", "\u{2028}",
        "\u{200B}", "\u{0}", "\u{7}", "\u{C}", "\u{85}", "\u{FEFF}",
        "漢字", "東京。", "「終わり。」", "テスト", "한국어", "각", "ไทย", "नमस्ते", "İ", "ﬃ",
        "e\u{301}", "\u{301}", " \u{301}\u{334}", "\u{1D16D}", "\u{93E}",
        "👨‍👩‍👧‍👦", "🇩🇪🇫🇷", "👍🏽",
        "\n# Heading\n", "\n## Second\n\n", "\n### Third\n", "###### ", "\nTitle\n===\n",
        "\nTitle\n---\n", "\n```swift\n", "\n```\n", "\n~~~~\n",
    ]

    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func next(partCount: Int) -> String {
        // Each text of few parts, so that each kind has long runs in some.
        let kinds = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
            Self.parts.randomElement(using: &generator) ?? ""
        }
        return (0..<partCount).map { _ in kinds.randomElement(using: &generator) ?? "" }.joined()
    }
}
