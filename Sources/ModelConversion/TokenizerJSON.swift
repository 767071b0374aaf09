import JSON
import Tokenization

/// A tokenizer.json of Hugging Face's `tokenizers`: the parts of a BERT tokenizer, and nothing
/// else.
struct TokenizerJSON {
    private let file: JSONFile

    init(_ file: JSONFile) { self.file = file }

    func settings() throws(ConversionError) -> TokenizerSettings {
        let model = try part("model", type: "WordPiece")
        var settings = try vocabulary(model)
        settings.unknownToken = try model.value("unk_token", \.string) ?? "[UNK]"
        settings.continuingSubwordPrefix =
            try model.value("continuing_subword_prefix", \.string) ?? "##"
        settings.maximumWordScalarCount =
            try model.value("max_input_chars_per_word", \.int) ?? 100

        let normalizer = try part("normalizer", type: "BertNormalizer")
        settings.cleanText = try normalizer.value("clean_text", \.bool) ?? true
        settings.handleChineseCharacters =
            try normalizer.value("handle_chinese_chars", \.bool) ?? true
        settings.lowercase = try normalizer.value("lowercase", \.bool) ?? true
        settings.stripAccents =
            try normalizer.value("strip_accents", \.bool) ?? settings.lowercase
        _ = try part("pre_tokenizer", type: "BertPreTokenizer")
        (settings.classificationToken, settings.separatorToken) = try template()
        try addTokens(&settings)
        return settings
    }

    private func part(_ key: String, type: String) throws(ConversionError) -> JSONFile {
        guard let value = file.root[key], let actual = value["type"]?.string else {
            throw .unsupportedTokenizer(
                part: key, value: file.root[key].map(JSONFile.shown) ?? "(missing)")
        }
        guard actual == type else { throw .unsupportedTokenizer(part: key, value: actual) }
        return JSONFile(path: file.path, root: value)
    }

    /// The tokens by id; ids must be 0, 1, 2… without holes.
    private func vocabulary(_ model: JSONFile) throws(ConversionError) -> TokenizerSettings {
        let members = try model.required("vocab", \.members)
        var tokens = [String?](repeating: nil, count: members.count)
        for member in members {
            guard let id = member.value.int, tokens.indices.contains(id) else {
                throw .invalidSetting(
                    path: file.path, key: "vocab.\(member.key)",
                    value: JSONFile.shown(member.value))
            }
            if let other = tokens[id] {
                throw .invalidSetting(
                    path: file.path, key: "vocab.\(member.key)", value: "\(id), as \(other)")
            }
            tokens[id] = member.key
        }
        return TokenizerSettings(tokens: TokenList(tokens.map { Array(($0 ?? "").utf8) }))
    }

    /// `[CLS] $A [SEP]`, of TemplateProcessing or BertProcessing.
    private func template() throws(ConversionError) -> (String, String) {
        guard let processor = file.root["post_processor"], !processor.isNull else {
            throw .unsupportedTokenizer(part: "post_processor", value: "(missing)")
        }
        let unsupported = ConversionError.unsupportedTokenizer(
            part: "post_processor", value: JSONFile.shown(processor))
        switch processor["type"]?.string {
        case "BertProcessing":
            guard let cls = processor["cls"]?.array?.first?.string,
                let sep = processor["sep"]?.array?.first?.string
            else { throw unsupported }
            return (cls, sep)
        case "TemplateProcessing":
            guard let single = processor["single"]?.array, single.count == 3,
                let cls = single[0]["SpecialToken"]?["id"]?.string,
                single[1]["Sequence"]?["id"]?.string == "A",
                let sep = single[2]["SpecialToken"]?["id"]?.string,
                single.allSatisfy({
                    ($0["SpecialToken"] ?? $0["Sequence"])?["type_id"]?.int == 0
                })
            else { throw unsupported }
            return (cls, sep)
        default: throw unsupported
        }
    }

    /// Adds the tokens of `added_tokens`; those beyond the model's vocabulary are appended to it.
    private func addTokens(_ settings: inout TokenizerSettings) throws(ConversionError) {
        var tokens = settings.tokens
        let added = try file.value("added_tokens", \.array) ?? []
        for entry in added.sorted(by: { ($0["id"]?.int ?? 0) < ($1["id"]?.int ?? 0) }) {
            let token = JSONFile(path: file.path, root: entry)
            let content = try token.required("content", \.string)
            let id = try token.required("id", \.int)
            for flag in ["single_word", "lstrip", "rstrip", "normalized"]
            where try token.value(flag, \.bool) == true {
                throw .unsupportedTokenizer(part: "added token \(content):", value: flag)
            }
            if id == tokens.count { tokens.append(content.utf8) }
            guard (0..<tokens.count).contains(id), tokens[id].elementsEqual(content.utf8) else {
                throw .invalidSetting(
                    path: file.path, key: "added_tokens.\(content)", value: "\(id)")
            }
            settings.addedTokenIDs.append(Int32(id))
        }
        settings.tokens = tokens
    }
}
