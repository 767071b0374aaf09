import JSON
import ModelConversion
import Safetensors
import Testing

/// Vocabularies and tokenizers that are damaged or not BERT's.
struct TokenizerRefusalTests {
    private static func vocabulary(
        _ description: String, _ error: ConversionError,
        change: @escaping @Sendable (inout [String]) -> Void
    ) -> Refusal {
        Refusal(description, error) { try $0.editVocabulary(change) }
    }

    static let vocabularies = [
        vocabulary("too short", .vocabularySizeMismatch(tokens: 96, embeddings: 97)) {
            $0.removeLast()
        },
        vocabulary("too long", .vocabularySizeMismatch(tokens: 98, embeddings: 97)) {
            $0.append("more")
        },
        vocabulary("empty", .vocabularySizeMismatch(tokens: 1, embeddings: 97)) { $0 = [""] },
        vocabulary("a duplicate", .tokenizer(.duplicateToken("a", ids: [5, 96]))) { $0[96] = "a" },
        vocabulary(
            "a duplicate with a carriage return", .tokenizer(.duplicateToken("a", ids: [5, 96]))
        ) {
            $0[96] = "a\r"
        },
        vocabulary("no [UNK]", .tokenizer(.missingToken("[UNK]"))) { $0[1] = "[unk]" },
        vocabulary("no [CLS]", .tokenizer(.missingToken("[CLS]"))) { $0[2] = "[cls]" },
        vocabulary("no [SEP]", .tokenizer(.missingToken("[SEP]"))) { $0[3] = "[sep]" },
        vocabulary("an empty line", .tokenizer(.emptyToken(id: 50))) { $0[50] = "" },
        vocabulary("an empty line at the end", .tokenizer(.emptyToken(id: 96))) { $0[96] = "" },
        vocabulary("a line of a carriage return", .tokenizer(.emptyToken(id: 50))) {
            $0[50] = "\r"
        },
        Refusal(
            "not UTF-8", { .json(path: $0.file("vocab.txt"), .invalidUTF8(offset: 330)) }
        ) {
            try $0.remove("tokenizer.json")
            try $0.write("vocab.txt", $0.contents("vocab.txt") + [0xFF, 0x0A])
        },
        Refusal(
            "no tokenizer at all", { .noVocabulary(directory: $0.path) }
        ) {
            try $0.remove("tokenizer.json")
            try $0.remove("vocab.txt")
        },
        Refusal(
            "an empty file", { .file(FileError(path: $0.file("vocab.txt"), reason: .empty)) }
        ) {
            try $0.remove("tokenizer.json")
            try $0.write("vocab.txt", "")
        },
        Refusal("another name for [CLS]", .tokenizer(.missingToken("<s>"))) {
            try $0.remove("tokenizer.json")
            try $0.set("tokenizer_config.json", "cls_token", to: .string("<s>"))
        },
        Refusal(
            "a [CLS] that is a number",
            {
                .invalidSetting(
                    path: $0.file("tokenizer_config.json"), key: "cls_token", value: "2")
            }
        ) {
            try $0.remove("tokenizer.json")
            try $0.set("tokenizer_config.json", "cls_token", to: .integer(2))
        },
    ]

    @Test(arguments: vocabularies)
    func vocabularyThatFitsNoModelIsRefused(_ refusal: Refusal) throws { try refusal.check() }

    static let parts: [(key: String, type: String)] = [
        ("model", "BPE"), ("model", "Unigram"), ("normalizer", "NFC"), ("normalizer", "Sequence"),
        ("normalizer", "Lowercase"), ("pre_tokenizer", "Whitespace"),
        ("pre_tokenizer", "ByteLevel"),
    ]

    @Test(arguments: parts)
    func otherPartIsRefused(_ key: String, _ type: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("tokenizer.json", key, "type", to: .string(type))
        try checkpoint.expectRefusal(.unsupportedTokenizer(part: key, value: type))
    }

    @Test(arguments: ["model", "normalizer", "pre_tokenizer"])
    func missingPartIsRefused(key: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("tokenizer.json", key, to: .null)
        try checkpoint.expectRefusal(.unsupportedTokenizer(part: key, value: "null"))
        try checkpoint.set("tokenizer.json", key, to: nil)
        try checkpoint.expectRefusal(.unsupportedTokenizer(part: key, value: "(missing)"))
    }

    static let processors = [
        #"{"type":"RobertaProcessing","sep":["[SEP]",3],"cls":["[CLS]",2]}"#,
        #"{"type":"BertProcessing","sep":["[SEP]",3]}"#,
        #"{"type":"BertProcessing","sep":"[SEP]","cls":"[CLS]"}"#,
        #"{"type":"BertProcessing","sep":[3],"cls":[2]}"#,
        #"{"type":"TemplateProcessing"}"#,
        #"{"type":"TemplateProcessing","single":[]}"#,
        #"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}}]}"#,
        template(second: #"{"Sequence":{"id":"B","type_id":0}}"#),
        template(second: #"{"Sequence":{"id":"A","type_id":1}}"#),
        template(second: #"{"SpecialToken":{"id":"[MASK]","type_id":0}}"#),
        #"[]"#, "1", "{}",
    ]

    private static func template(second: String) -> String {
        #"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},"#
            + second + #",{"SpecialToken":{"id":"[SEP]","type_id":0}}]}"#
    }

    @Test(arguments: processors)
    func otherPostProcessorIsRefused(text: String) throws {
        let checkpoint = try CheckpointCopy()
        let value = try JSONValue(parsing: Array(text.utf8))
        try checkpoint.set("tokenizer.json", "post_processor", to: value)
        try checkpoint.expectRefusal(.unsupportedTokenizer(part: "post_processor", value: text))
    }

    @Test(arguments: [nil, JSONValue.null])
    func missingPostProcessorIsRefused(value: JSONValue?) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("tokenizer.json", "post_processor", to: value)
        try checkpoint.expectRefusal(
            .unsupportedTokenizer(part: "post_processor", value: "(missing)"))
    }

    static let ids: [(value: JSONValue, shown: String)] = [
        (.integer(97), "97"), (.integer(98), "98"), (.integer(-1), "-1"),
        (.integer(.max), "9223372036854775807"), (.number(0.5), "0.5"), (.string("5"), #""5""#),
        (.null, "null"), (.integer(5), "5, as a"),
    ]

    @Test(arguments: ids)
    func idWithAHoleOrTwiceIsRefused(_ value: JSONValue, _ shown: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("tokenizer.json", "model", "vocab", "##ed", to: value)
        try checkpoint.expectRefusal(
            .invalidSetting(
                path: checkpoint.file("tokenizer.json"), key: "vocab.##ed", value: shown))
    }

    static let settings = [
        Refusal("no vocabulary", { .missingSetting(path: $0.file("tokenizer.json"), key: "vocab") })
        {
            try $0.set("tokenizer.json", "model", "vocab", to: nil)
        },
        Refusal(
            "an array for a vocabulary",
            { .invalidSetting(path: $0.file("tokenizer.json"), key: "vocab", value: "[]") }
        ) {
            try $0.set("tokenizer.json", "model", "vocab", to: .array([]))
        },
        Refusal("a token less", .vocabularySizeMismatch(tokens: 96, embeddings: 97)) {
            try $0.set("tokenizer.json", "model", "vocab", "##ed", to: nil)
        },
        Refusal("an empty token", .tokenizer(.emptyToken(id: 96))) {
            try $0.set("tokenizer.json", "model", "vocab", "##ed", to: nil)
            try $0.set("tokenizer.json", "model", "vocab", "", to: .integer(96))
        },
        Refusal("another unknown token", .tokenizer(.missingToken("<unk>"))) {
            try $0.set("tokenizer.json", "model", "unk_token", to: .string("<unk>"))
        },
        Refusal("an empty unknown token", .tokenizer(.missingToken(""))) {
            try $0.set("tokenizer.json", "model", "unk_token", to: .string(""))
        },
        Refusal("another [CLS]", .tokenizer(.missingToken("<s>"))) {
            try $0.set("tokenizer.json", "post_processor", "cls", "0", to: .string("<s>"))
        },
        Refusal("words of no letters", .tokenizer(.wordLimitOutOfRange(0))) {
            try $0.set("tokenizer.json", "model", "max_input_chars_per_word", to: .integer(0))
        },
        Refusal("words of any length", .tokenizer(.wordLimitOutOfRange(.max))) {
            try $0.set("tokenizer.json", "model", "max_input_chars_per_word", to: .integer(.max))
        },
        Refusal(
            "a flag that is a number",
            { .invalidSetting(path: $0.file("tokenizer.json"), key: "lowercase", value: "1") }
        ) {
            try $0.set("tokenizer.json", "normalizer", "lowercase", to: .integer(1))
        },
        Refusal(
            "added tokens that are none",
            { .invalidSetting(path: $0.file("tokenizer.json"), key: "added_tokens", value: "{}") }
        ) {
            try $0.set("tokenizer.json", "added_tokens", to: .object([]))
        },
        Refusal(
            "an added token that is a number",
            { .missingSetting(path: $0.file("tokenizer.json"), key: "content") }
        ) {
            try $0.set("tokenizer.json", "added_tokens", "0", to: .integer(0))
        },
        Refusal(
            "an added token without an id",
            { .missingSetting(path: $0.file("tokenizer.json"), key: "id") }
        ) {
            try $0.set("tokenizer.json", "added_tokens", "0", "id", to: nil)
        },
        Refusal("an added token more", .vocabularySizeMismatch(tokens: 98, embeddings: 97)) {
            try $0.set(
                "tokenizer.json", "added_tokens", "5",
                to: .object([.init("content", .string("[NEW]")), .init("id", .integer(97))]))
        },
        Refusal("an added token twice", .tokenizer(.duplicateToken("[PAD]", ids: [0, 97]))) {
            try $0.set("config.json", "vocab_size", to: .integer(98))
            try $0.set(
                "tokenizer.json", "added_tokens", "5",
                to: .object([.init("content", .string("[PAD]")), .init("id", .integer(97))]))
        },
    ]

    @Test(arguments: settings)
    func settingThatMakesNoTokenizerIsRefused(_ refusal: Refusal) throws { try refusal.check() }

    @Test(arguments: ["single_word", "lstrip", "rstrip", "normalized"])
    func addedTokenThatIsFoundOtherwiseIsRefused(flag: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("tokenizer.json", "added_tokens", "4", flag, to: .bool(true))
        try checkpoint.expectRefusal(
            .unsupportedTokenizer(part: "added token [MASK]:", value: flag))
    }

    @Test(arguments: [3, 5, 98, -1, Int64.max, .min])
    func addedTokenOfAnotherIDIsRefused(id: Int64) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("tokenizer.json", "added_tokens", "4", "id", to: .integer(id))
        try checkpoint.expectRefusal(
            .invalidSetting(
                path: checkpoint.file("tokenizer.json"), key: "added_tokens.[MASK]", value: "\(id)")
        )
    }

    @Test(arguments: ["do_lower_case", "tokenize_chinese_chars", "strip_accents"])
    func tokenizerConfigThatContradictsIsRefused(key: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("tokenizer_config.json", key, to: .bool(false))
        let path = checkpoint.file("tokenizer_config.json")
        try checkpoint.expectRefusal(
            .contradiction("\(path): \(key) is false, tokenizer.json says true"))
    }
}
