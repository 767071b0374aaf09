import EmbeddingEngine
import ModelConversion
import Safetensors
import TestSupport
import Testing
import Tokenization
import Transformer

/// Model files that no converter wrote.
struct HostileModelTests {
    typealias Name = EmbeddingModel.TensorName

    @Test func checkpointIsNotConverted() throws {
        let path = TestFiles.fixture("tiny-bert/model.safetensors").path
        #expect(throws: ModelError.notConverted(path: path)) { try EmbeddingModel(path: path) }
    }

    @Test(arguments: [nil, "", "pt", "minilm", "MINILM-1", " minilm-1"])
    func fileOfNoFormatOfOursIsNotConverted(format: String?) throws {
        let model = try ModelCopy()
        model.raw.setMetadata("format", to: format)
        model.expectRefusal(.notConverted(path: model.path))
    }

    @Test(arguments: ["minilm-", "minilm-0", "minilm-1", "minilm-9", "minilm-20", "minilm-2 "])
    func otherFormatOfOursIsNotSupported(format: String) throws {
        let model = try ModelCopy()
        model.raw.setMetadata("format", to: format)
        model.expectRefusal(.unsupportedFormat(path: model.path, version: format))
    }

    static let keys = [
        "name", "fingerprint", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "intermediate_size", "vocab_size", "max_position_embeddings", "layer_norm_eps",
        "pooling_mode", "normalize", "max_seq_length", "wordpiece_count", "clean_text",
        "handle_chinese_chars", "strip_accents", "lowercase", "unk_token", "cls_token",
        "sep_token", "continuing_subword_prefix", "max_input_chars_per_word",
    ]

    @Test func everyKeyOfTheFileIsAmongTheTested() throws {
        let keys = try ModelCopy().raw.metadata.map(\.key)
            .filter { !$0.hasPrefix("provenance.") && !$0.hasPrefix("self_test.") }
        #expect(keys.sorted() == (Self.keys + ["format"]).sorted())
    }

    @Test(arguments: keys)
    func missingSettingIsNamed(key: String) throws {
        let model = try ModelCopy()
        model.raw.setMetadata(key, to: nil)
        model.expectRefusal(.invalidSetting(path: model.path, key: key, value: nil))
    }

    private static let integers = [
        "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
        "vocab_size", "max_position_embeddings", "max_seq_length", "wordpiece_count",
        "max_input_chars_per_word",
    ]

    @Test(
        arguments: integers,
        ["", " ", "abc", "24.0", " 24", "24 ", "1e1", "0x18", "--1", "９", "99999999999999999999"])
    func numberThatIsNoneIsShown(key: String, value: String) throws {
        let model = try ModelCopy()
        model.raw.setMetadata(key, to: value)
        model.expectRefusal(.invalidSetting(path: model.path, key: key, value: value))
    }

    @Test(
        arguments: [
            "normalize", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase",
        ],
        ["", "1", "yes", "True", "TRUE", "true ", "null"])
    func flagThatIsNoneIsShown(key: String, value: String) throws {
        let model = try ModelCopy()
        model.raw.setMetadata(key, to: value)
        model.expectRefusal(.invalidSetting(path: model.path, key: key, value: value))
    }

    @Test(arguments: [
        ("pooling_mode", ""), ("pooling_mode", "Mean"), ("pooling_mode", "lasttoken"),
        ("layer_norm_eps", ""), ("layer_norm_eps", "1,5"), ("layer_norm_eps", "small"),
        ("max_seq_length", "0"), ("max_seq_length", "1"), ("max_seq_length", "-1"),
        ("max_seq_length", "49"), ("max_seq_length", "9223372036854775807"),
    ])
    func valueOutsideOfItsRangeIsShown(key: String, value: String) throws {
        let model = try ModelCopy()
        model.raw.setMetadata(key, to: value)
        model.expectRefusal(.invalidSetting(path: model.path, key: key, value: value))
    }

    static let configurations: [(key: String, value: String, reason: String)] = [
        ("hidden_size", "0", "hidden_size 0 is not within 1 and 8192"),
        ("hidden_size", "-24", "hidden_size -24 is not within 1 and 8192"),
        (
            "hidden_size", "9223372036854775807",
            "hidden_size 9223372036854775807 is not within 1 and 8192"
        ),
        ("num_hidden_layers", "0", "num_hidden_layers 0 is not within 1 and 256"),
        ("num_hidden_layers", "257", "num_hidden_layers 257 is not within 1 and 256"),
        ("num_attention_heads", "0", "num_attention_heads 0 is not within 1 and 24"),
        ("num_attention_heads", "25", "num_attention_heads 25 is not within 1 and 24"),
        ("num_attention_heads", "7", "hidden_size 24 is no multiple of num_attention_heads 7"),
        ("intermediate_size", "0", "intermediate_size 0 is not within 1 and 65536"),
        (
            "vocab_size", "-9223372036854775808",
            "vocab_size -9223372036854775808 is not within 1 and 10000000"
        ),
        ("max_position_embeddings", "1", "max_position_embeddings 1 is not within 2 and 16384"),
        ("layer_norm_eps", "nan", "layer_norm_eps nan is not within 0 and 1"),
        ("layer_norm_eps", "inf", "layer_norm_eps inf is not within 0 and 1"),
        ("layer_norm_eps", "1e400", "layer_norm_eps inf is not within 0 and 1"),
        ("layer_norm_eps", "-1", "layer_norm_eps -1.0 is not within 0 and 1"),
        ("layer_norm_eps", "1", "layer_norm_eps 1.0 is not within 0 and 1"),
    ]

    @Test(arguments: configurations)
    func configurationThatCannotBeIsRefused(key: String, value: String, reason: String) throws {
        let model = try ModelCopy()
        model.raw.setMetadata(key, to: value)
        model.expectRefusal(.configuration(path: model.path, .invalidConfiguration(reason)))
    }

    static let contradictions: [(key: String, value: String, error: SafetensorsError)] = [
        (
            "hidden_size", "28",
            .unexpectedTensor(
                "embeddings.word_embeddings.weight", expected: "F32 [97, 28]",
                actual: "F32 [97, 24]")
        ),
        ("num_hidden_layers", "3", .missingTensor("encoder.layer.2.attention.self.qkv.weight")),
        ("num_hidden_layers", "256", .missingTensor("encoder.layer.2.attention.self.qkv.weight")),
        (
            "intermediate_size", "65536",
            .unexpectedTensor(
                "encoder.layer.0.intermediate.dense.weight", expected: "F32 [4096, 24, 16]",
                actual: "F32 [3, 24, 16]")
        ),
        (
            "vocab_size", "10000000",
            .unexpectedTensor(
                "embeddings.word_embeddings.weight", expected: "F32 [10000000, 24]",
                actual: "F32 [97, 24]")
        ),
        (
            "max_position_embeddings", "16384",
            .unexpectedTensor(
                "embeddings.position_embeddings.weight", expected: "F32 [16384, 24]",
                actual: "F32 [48, 24]")
        ),
    ]

    @Test(arguments: contradictions)
    func settingThatContradictsTheTensorsIsRefused(
        key: String, value: String, error: SafetensorsError
    ) throws {
        let model = try ModelCopy()
        model.raw.setMetadata(key, to: value)
        model.expectRefusal(.safetensors(path: model.path, error))
    }

    @Test(arguments: ["extra", "", "encoder.layer.2.output.dense.bias", "Padding.1"])
    func tensorOfNoModelIsNamed(name: String) throws {
        let model = try ModelCopy()
        model.raw.tensors.append(.init(name: name, dtype: .u8, shape: [0], bytes: []))
        model.expectRefusal(.unknownTensor(path: model.path, name: name))
    }

    @Test func layerBeyondTheConfigurationIsNamed() throws {
        let model = try ModelCopy()
        model.raw.setMetadata("num_hidden_layers", to: "1")
        model.expectRefusal(
            .unknownTensor(path: model.path, name: "encoder.layer.1.attention.self.qkv.weight"))
    }

    @Test func everyTensorButTheSelfTestMustBeThere() throws {
        for name in try ModelCopy().raw.tensors.map(\.name)
        where !name.hasPrefix(Name.paddingPrefix) && name != Name.selfTestVectors {
            let model = try ModelCopy()
            model.raw.remove(name)
            model.expectRefusal(.safetensors(path: model.path, .missingTensor(name)))
        }
    }

    @Test func verificationMissesTheSelfTest() throws {
        let model = try ModelCopy()
        model.raw.remove(Name.selfTestVectors)
        let embedder = try model.embedder()
        #expect(throws: SafetensorsError.missingTensor(Name.selfTestVectors)) {
            try ModelVerification(embedder)
        }
    }
}
