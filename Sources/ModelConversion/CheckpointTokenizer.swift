import JSON
import Tokenization

/// Reads a checkpoint's tokenizer: tokenizer.json, or vocab.txt with tokenizer_config.json.
enum CheckpointTokenizer {
    /// - Returns: the settings, and the name of the file that they came from.
    static func settings(
        _ directory: CheckpointDirectory
    ) throws(ConversionError) -> (settings: TokenizerSettings, source: String) {
        let config = try directory.jsonIfPresent("tokenizer_config.json")
        if let file = try directory.jsonIfPresent("tokenizer.json") {
            let settings = try TokenizerJSON(file).settings()
            if let config { try checkAgreement(settings, config) }
            return (settings, "tokenizer.json")
        }
        guard directory.exists("vocab.txt") else {
            throw .noVocabulary(directory: directory.path.string)
        }
        return (try vocabularyText(directory, config), "vocab.txt")
    }

    /// `BertTokenizer` of transformers over a vocab.txt: a token a line, the special tokens found
    /// in raw text.
    private static func vocabularyText(
        _ directory: CheckpointDirectory, _ config: JSONFile?
    ) throws(ConversionError) -> TokenizerSettings {
        let bytes = try directory.contents("vocab.txt")
        if let offset = firstInvalidUTF8(bytes) {
            throw .json(path: directory.file("vocab.txt"), .invalidUTF8(offset: offset))
        }
        var tokens = TokenList()
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        lines = lines.map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
        for line in lines { tokens.append(line) }
        var settings = TokenizerSettings(tokens: tokens)
        if let config {
            settings.lowercase = try config.value("do_lower_case", \.bool) ?? true
            settings.handleChineseCharacters =
                try config.value("tokenize_chinese_chars", \.bool) ?? true
            settings.stripAccents =
                try config.value("strip_accents", \.bool) ?? settings.lowercase
            settings.unknownToken = try tokenName("unk_token", config) ?? settings.unknownToken
            settings.classificationToken =
                try tokenName("cls_token", config) ?? settings.classificationToken
            settings.separatorToken = try tokenName("sep_token", config) ?? settings.separatorToken
        }
        var (padding, mask) = ("[PAD]", "[MASK]")
        if let config {
            padding = try tokenName("pad_token", config) ?? padding
            mask = try tokenName("mask_token", config) ?? mask
        }
        let special = [
            settings.unknownToken, settings.classificationToken, settings.separatorToken, padding,
            mask,
        ]
        for (id, line) in lines.enumerated()
        where special.contains(where: { $0.utf8.elementsEqual(line) }) {
            settings.addedTokenIDs.append(Int32(id))
        }
        return settings
    }

    private static func firstInvalidUTF8(_ bytes: [UInt8]) -> Int? {
        do {
            _ = try UTF8Span(validating: bytes.span)
            return nil
        } catch {
            return error.byteOffsets.lowerBound
        }
    }

    /// A special token's name: a string, or an object with `content`.
    private static func tokenName(
        _ key: String, _ config: JSONFile
    ) throws(ConversionError) -> String? {
        try config.value(key) { $0.string ?? $0["content"]?.string }
    }

    /// transformers lets tokenizer_config.json overrule tokenizer.json, by rules that changed
    /// between versions.
    private static func checkAgreement(
        _ settings: TokenizerSettings, _ config: JSONFile
    ) throws(ConversionError) {
        let pairs = [
            ("do_lower_case", settings.lowercase),
            ("tokenize_chinese_chars", settings.handleChineseCharacters),
            ("strip_accents", settings.stripAccents),
        ]
        for (key, value) in pairs {
            guard let other = try config.value(key, \.bool), other != value else { continue }
            throw .contradiction(
                "\(config.path): \(key) is \(other), tokenizer.json says \(value)")
        }
    }
}
