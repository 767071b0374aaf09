import JSON
import ModelConversion
import Safetensors
import Testing

/// A config.json that is damaged, describes another architecture, or contradicts the tensors.
struct ConfigurationRefusalTests {
    private static func config(_ checkpoint: CheckpointCopy) -> String {
        checkpoint.file("config.json")
    }

    private static let sizes = [
        "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
        "vocab_size", "max_position_embeddings",
    ]

    @Test func missingConfigIsNamed() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.remove("config.json")
        try checkpoint.expectRefusal(
            .file(
                FileError(
                    path: Self.config(checkpoint), reason: .system(.noSuchFileOrDirectory))))
    }

    @Test func directoryThatIsMissingIsNamed() throws {
        let checkpoint = try CheckpointCopy()
        let path = checkpoint.file("config.json/config.json")
        #expect(throws: ConversionError.file(FileError(path: path, reason: .system(.notDirectory))))
        {
            try ModelConverter.convert(
                directory: checkpoint.file("config.json"), output: checkpoint.output)
        }
    }

    static let texts: [(text: String, error: JSONError)] = [
        ("{", .malformed(offset: 1, reason: "Missing a name for object member.")),
        (
            "{}}",
            .malformed(offset: 2, reason: "The document root must not be followed by other values.")
        ),
        ("{'a':1}", .malformed(offset: 1, reason: "Missing a name for object member.")),
        (#"{"a":1,"a":2}"#, .duplicateKey("a")),
        (#"{"a":"\ud800"}"#, .invalidUTF8(offset: 6)),
        (#"{"a":"\udc00"}"#, .invalidUTF8(offset: 13)),
        (String(repeating: "[", count: 100_000), .tooDeep(limit: 512)),
    ]

    @Test(arguments: texts)
    func configThatIsNotJSONIsRefused(_ text: String, _ error: JSONError) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.write("config.json", text)
        try checkpoint.expectRefusal(.json(path: Self.config(checkpoint), error))
    }

    @Test(arguments: ["[]", "1", "null", "{}", #"{"model_type":null}"#])
    func configWithoutATypeIsRefused(_ text: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.write("config.json", text)
        try checkpoint.expectRefusal(
            .missingSetting(path: Self.config(checkpoint), key: "model_type"))
    }

    @Test(arguments: sizes, [nil, JSONValue.null])
    func missingSizeIsNamed(key: String, value: JSONValue?) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("config.json", key, to: value)
        try checkpoint.expectRefusal(.missingSetting(path: Self.config(checkpoint), key: key))
    }

    static let wrong: [(value: JSONValue, shown: String)] = [
        (.string("24"), #""24""#), (.bool(true), "true"), (.array([]), "[]"),
        (.object([]), "{}"), (.number(24.5), "24.5"), (.number(1e300), "1e+300"),
        (.unsigned(.max), "18446744073709551615"),
    ]

    @Test(arguments: sizes + ["type_vocab_size"], wrong)
    func sizeOfTheWrongTypeIsShown(key: String, wrong: (value: JSONValue, shown: String)) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("config.json", key, to: wrong.value)
        try checkpoint.expectRefusal(
            .invalidSetting(path: Self.config(checkpoint), key: key, value: wrong.shown))
    }

    static let ranges: [(key: String, range: ClosedRange<Int>)] = [
        ("hidden_size", 1...8192), ("num_hidden_layers", 1...256), ("num_attention_heads", 1...24),
        ("intermediate_size", 1...65_536), ("vocab_size", 1...10_000_000),
        ("max_position_embeddings", 2...16_384),
    ]

    @Test(arguments: ranges)
    func sizeOutOfRangeIsRefused(_ key: String, _ range: ClosedRange<Int>) throws {
        let checkpoint = try CheckpointCopy()
        let values = [0, -1, .min, .max, range.upperBound + 1, range.lowerBound - 1]
        for value in values {
            try checkpoint.set("config.json", key, to: .integer(Int64(value)))
            let text = "\(key) \(value) is not within \(range.lowerBound) and \(range.upperBound)"
            try checkpoint.expectRefusal(.configuration(.invalidConfiguration(text)))
        }
    }

    static let epsilons: [(value: JSONValue, shown: String)] = [
        (.integer(-1), "-1.0"), (.integer(1), "1.0"), (.number(1e300), "inf"),
        (.number(-1e-12), "-1e-12"),
    ]

    @Test(arguments: epsilons)
    func epsilonOutOfRangeIsRefused(_ value: JSONValue, _ shown: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("config.json", "layer_norm_eps", to: value)
        let text = "layer_norm_eps \(shown) is not within 0 and 1"
        try checkpoint.expectRefusal(.configuration(.invalidConfiguration(text)))
    }

    @Test(arguments: [0, -1, 1025])
    func tokenTypesOutOfRangeAreRefused(count: Int64) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("config.json", "type_vocab_size", to: .integer(count))
        try checkpoint.expectRefusal(
            .invalidSetting(
                path: Self.config(checkpoint), key: "type_vocab_size", value: "\(count)"))
    }

    @Test(arguments: [5, 7, 9, 23])
    func headsThatDoNotDivideTheWidthAreRefused(heads: Int64) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("config.json", "num_attention_heads", to: .integer(heads))
        let text = "hidden_size 24 is no multiple of num_attention_heads \(heads)"
        try checkpoint.expectRefusal(.configuration(.invalidConfiguration(text)))
    }

    static let contradictions: [(key: String, value: Int64, error: ConversionError)] = [
        (
            "hidden_size", 28,
            .wrongShape(
                tensor: "embeddings.word_embeddings.weight", expected: [97, 28], actual: [97, 24])
        ),
        ("num_hidden_layers", 3, .missingTensor("encoder.layer.2.attention.self.query.weight")),
        ("num_hidden_layers", 256, .missingTensor("encoder.layer.2.attention.self.query.weight")),
        ("num_hidden_layers", 1, .extraTensor("encoder.layer.1.attention.output.LayerNorm.bias")),
        (
            "intermediate_size", 44,
            .wrongShape(
                tensor: "encoder.layer.0.intermediate.dense.weight", expected: [44, 24],
                actual: [40, 24])
        ),
        (
            "intermediate_size", 65_536,
            .wrongShape(
                tensor: "encoder.layer.0.intermediate.dense.weight", expected: [65_536, 24],
                actual: [40, 24])
        ),
        (
            "max_position_embeddings", 64,
            .wrongShape(
                tensor: "embeddings.position_embeddings.weight", expected: [64, 24],
                actual: [48, 24])
        ),
        (
            "type_vocab_size", 3,
            .wrongShape(
                tensor: "embeddings.token_type_embeddings.weight", expected: [3, 24],
                actual: [2, 24])
        ),
        ("vocab_size", 98, .vocabularySizeMismatch(tokens: 97, embeddings: 98)),
        ("vocab_size", 96, .vocabularySizeMismatch(tokens: 97, embeddings: 96)),
        ("vocab_size", 10_000_000, .vocabularySizeMismatch(tokens: 97, embeddings: 10_000_000)),
    ]

    @Test(arguments: contradictions)
    func sizeThatContradictsTheTensorsIsRefused(
        _ key: String, _ value: Int64, _ error: ConversionError
    ) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("1_Pooling/config.json", "word_embedding_dimension", to: nil)
        try checkpoint.set("config.json", key, to: .integer(value))
        try checkpoint.expectRefusal(error)
    }

    static let features: [(key: String, value: JSONValue, error: ConversionError)] = [
        ("model_type", .string("roberta"), .unsupportedArchitecture("roberta")),
        ("model_type", .string("BERT"), .unsupportedArchitecture("BERT")),
        ("hidden_act", .string("gelu_new"), .unsupportedActivation("gelu_new")),
        ("hidden_act", .string("relu"), .unsupportedActivation("relu")),
        (
            "position_embedding_type", .string("relative_key"),
            .unsupportedPositionType("relative_key")
        ),
        ("is_decoder", .bool(true), .unsupportedFeature("config.json: is_decoder")),
        (
            "add_cross_attention", .bool(true),
            .unsupportedFeature("config.json: add_cross_attention")
        ),
        (
            "quantization_config", .object([.init("bits", .integer(4))]),
            .unsupportedFeature("config.json: quantization_config")
        ),
        (
            "quantization_config", .bool(false),
            .unsupportedFeature("config.json: quantization_config")
        ),
    ]

    @Test(arguments: features)
    func whatTheEncoderDoesNotComputeIsRefused(
        _ key: String, _ value: JSONValue, _ error: ConversionError
    ) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("config.json", key, to: value)
        try checkpoint.expectRefusal(error)
    }

    @Test(arguments: [
        "model_type", "hidden_act", "position_embedding_type", "is_decoder", "layer_norm_eps",
    ])
    func settingOfTheWrongTypeIsShown(key: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("config.json", key, to: .array([.integer(1)]))
        try checkpoint.expectRefusal(
            .invalidSetting(path: Self.config(checkpoint), key: key, value: "[1]"))
    }

    /// The name travels in the model's header, which no reader takes at any length.
    @Test(arguments: ["name", "prefix"])
    func settingsThatMakeTheHeaderTooLongAreRefused(setting: String) throws {
        let checkpoint = try CheckpointCopy()
        let usual = try checkpoint.converted()
        let length = usual.withUnsafeBytes { Int($0.load(as: UInt64.self)) }
        let padding = usual[8..<8 + length].reversed().prefix { $0 == 0x20 }.count
        let text = String(repeating: "n", count: 2 << 20)
        if setting == "prefix" {
            try checkpoint.set(
                "tokenizer.json", "model", "continuing_subword_prefix", to: .string(text))
        }
        // What replaces the name "tiny" or the prefix "##", rounded to the alignment.
        let removed = setting == "name" ? 4 : 2
        let count = (8 + length - padding - removed + 2 << 20 + 63) / 64 * 64
        #expect(
            throws: ConversionError.settingsTooLong(byteCount: count - 8, limit: 1 << 20)
        ) {
            try ModelConverter.convert(
                directory: checkpoint.path, output: checkpoint.output,
                name: setting == "name" ? text : "tiny")
        }
    }

    @Test func fileBeyondTheLimitIsRefused() throws {
        let checkpoint = try CheckpointCopy()
        let path = Self.config(checkpoint)
        try checkpoint.write("config.json", [UInt8](repeating: 0x20, count: 64 << 20 + 1))
        try checkpoint.expectRefusal(
            .fileTooLarge(path: path, byteCount: 64 << 20 + 1, limit: 64 << 20))
    }
}
