import JSON
import ModelConversion
import Safetensors
import Testing

/// modules.json and the settings of sentence-transformers that change what the pipeline computes.
struct PipelineRefusalTests {
    private static let modules = "modules.json"
    private static let prefix = "sentence_transformers.models."

    private static func module(_ type: String, path: String) -> JSONValue {
        .object([.init("path", .string(path)), .init("type", .string(type))])
    }

    static let modulesRefused = [
        Refusal("a dense head", .unsupportedModule("\(prefix)Dense")) {
            try $0.set(modules, "3", to: module("\(prefix)Dense", path: "3_Dense"))
        },
        Refusal(
            "a sparse head",
            .unsupportedModule("sentence_transformers.sparse_encoder.models.SpladePooling")
        ) {
            try $0.set(
                modules, "1", "type",
                to: .string("sentence_transformers.sparse_encoder.models.SpladePooling"))
        },
        Refusal("a masked language model", .unsupportedModule("x.MLMTransformer")) {
            try $0.set(modules, "0", "type", to: .string("x.MLMTransformer"))
        },
        Refusal("no type", .unsupportedModule("")) {
            try $0.set(modules, "0", "type", to: .string(""))
        },
        Refusal(
            "pooling before the transformer",
            .unsupportedFeature("the module sequence Pooling, Transformer, Normalize")
        ) {
            try $0.set(modules, "0", to: module("\(prefix)Pooling", path: "1_Pooling"))
            try $0.set(modules, "1", to: module("\(prefix)Transformer", path: ""))
        },
        Refusal(
            "normalization before pooling",
            .unsupportedFeature("the module sequence Transformer, Normalize, Pooling")
        ) {
            try $0.set(modules, "1", to: module("\(prefix)Normalize", path: "2_Normalize"))
            try $0.set(modules, "2", to: module("\(prefix)Pooling", path: "1_Pooling"))
        },
        Refusal("no pooling", .unsupportedFeature("the module sequence Transformer")) {
            try $0.set(modules, "2", to: nil)
            try $0.set(modules, "1", to: nil)
        },
        Refusal("no modules", .unsupportedFeature("the module sequence ")) {
            try $0.write(modules, "[]")
        },
        Refusal(
            "two poolings",
            .unsupportedFeature("the module sequence Transformer, Pooling, Pooling")
        ) {
            try $0.set(modules, "2", to: module("\(prefix)Pooling", path: "1_Pooling"))
        },
        Refusal(
            "an object", { .invalidSetting(path: $0.file(modules), key: modules, value: "{}") }
        ) {
            try $0.write(modules, "{}")
        },
        Refusal("a number", { .missingSetting(path: $0.file(modules), key: "type") }) {
            try $0.write(modules, "[1]")
        },
        Refusal("no path", { .missingSetting(path: $0.file(modules), key: "path") }) {
            try $0.set(modules, "1", "path", to: nil)
        },
        Refusal(
            "not JSON",
            {
                .json(
                    path: $0.file(modules), .malformed(offset: 2, reason: "The document is empty."))
            }
        ) {
            try $0.write(modules, " \n")
        },
    ]

    @Test(arguments: modulesRefused)
    func pipelineOfOtherModulesIsRefused(_ refusal: Refusal) throws { try refusal.check() }

    @Test(
        arguments: [
            "..", "../x", "../../etc", "/etc", "/", "1_Pooling/..", "1_Pooling/../..", "a/b",
            "./..", "1_Pooling\0", "\0", "1_Pooling\0/../..",
        ], ["0", "1"])
    func moduleOutsideOfTheCheckpointIsRefused(path: String, module: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set(Self.modules, module, "path", to: .string(path))
        try checkpoint.expectRefusal(
            .invalidSetting(path: checkpoint.file(Self.modules), key: "path", value: "\"\(path)\""))
    }

    @Test func moduleThatIsMissingIsNamed() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set(Self.modules, "1", "path", to: .string("7_Pooling"))
        let path = checkpoint.file("7_Pooling/config.json")
        try checkpoint.expectRefusal(
            .file(FileError(path: path, reason: .system(.noSuchFileOrDirectory))))
    }

    static let poolings: [(config: String, mode: String)] = [
        (#"{"pooling_mode_weightedmean_tokens":true}"#, "weightedmean"),
        (#"{"pooling_mode_lasttoken":true}"#, "lasttoken"),
        (#"{"pooling_mode_mean_sqrt_len_tokens":true}"#, "mean_sqrt_len_tokens"),
        (#"{"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":true}"#, "cls and mean"),
        (#"{"pooling_mode_mean_tokens":true,"pooling_mode_lasttoken":true}"#, "mean and lasttoken"),
        (#"{"pooling_mode":"weightedmean"}"#, "weightedmean"),
        (#"{"pooling_mode":"lasttoken"}"#, "lasttoken"),
        (#"{"pooling_mode":""}"#, ""),
        (#"{"pooling_mode":"MEAN"}"#, "MEAN"),
        (#"{"pooling_mode":["cls","max"]}"#, "cls and max"),
        (#"{"pooling_mode":["cls","cls"]}"#, "cls and cls"),
    ]

    @Test(arguments: poolings)
    func poolingOtherThanMeanClsAndMaxIsRefused(_ config: String, _ mode: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.write("1_Pooling/config.json", config)
        try checkpoint.expectRefusal(.unsupportedPooling(mode))
    }

    @Test(arguments: ["{}", #"{"pooling_mode_mean_tokens":false}"#, "[]"])
    func poolingWithoutAModeIsRefused(config: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.write("1_Pooling/config.json", config)
        try checkpoint.expectRefusal(
            .missingSetting(path: checkpoint.file("1_Pooling/config.json"), key: "pooling_mode"))
    }

    @Test(arguments: ["null", "1", "[]", "{}", "[1]", #"["cls",1]"#, #"["mean",null]"#])
    func poolingModeOfTheWrongTypeIsShown(value: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.write("1_Pooling/config.json", #"{"pooling_mode":\#(value)}"#)
        try checkpoint.expectRefusal(
            .invalidSetting(
                path: checkpoint.file("1_Pooling/config.json"), key: "pooling_mode", value: value))
    }

    @Test func poolingFlagOfTheWrongTypeIsShown() throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.write("1_Pooling/config.json", #"{"pooling_mode_mean_tokens":"true"}"#)
        try checkpoint.expectRefusal(
            .invalidSetting(
                path: checkpoint.file("1_Pooling/config.json"), key: "pooling_mode_mean_tokens",
                value: #""true""#))
    }

    @Test(arguments: ["word_embedding_dimension", "embedding_dimension"])
    func poolingOfAnotherWidthIsRefused(key: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set("1_Pooling/config.json", key, to: .integer(384))
        let path = checkpoint.file("1_Pooling/config.json")
        try checkpoint.expectRefusal(
            .contradiction("\(path): \(key) is 384, config.json says hidden_size 24"))
    }

    private static let sentence = "sentence_bert_config.json"

    @Test(arguments: [0, 1, -1, 49, 512, Int64.max, .min])
    func windowBeyondThePositionsIsRefused(count: Int64) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set(Self.sentence, "max_seq_length", to: .integer(count))
        try checkpoint.expectRefusal(
            .invalidSetting(
                path: checkpoint.file(Self.sentence), key: "max_seq_length", value: "\(count)"))
    }

    @Test(arguments: [JSONValue.string("32"), .number(32.5), .number(1e300), .bool(true)])
    func windowOfTheWrongTypeIsRefused(value: JSONValue) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.set(Self.sentence, "max_seq_length", to: value)
        var writer = JSONWriter()
        writer.value(value)
        try checkpoint.expectRefusal(
            .invalidSetting(
                path: checkpoint.file(Self.sentence), key: "max_seq_length",
                value: String(decoding: writer.bytes, as: UTF8.self)))
    }

    @Test(arguments: [JSONValue.integer(1), .integer(-1), .number(-1e300), .string("512")])
    func tokenizersWindowThatIsNoneIsRefused(value: JSONValue) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.remove(Self.sentence)
        try checkpoint.set("tokenizer_config.json", "model_max_length", to: value)
        var writer = JSONWriter()
        writer.value(value)
        try checkpoint.expectRefusal(
            .invalidSetting(
                path: checkpoint.file("tokenizer_config.json"), key: "model_max_length",
                value: String(decoding: writer.bytes, as: UTF8.self)))
    }

    static let features = [
        Refusal("lower case", .unsupportedFeature("\(sentence): do_lower_case")) {
            try $0.set(sentence, "do_lower_case", to: .bool(true))
        },
        Refusal("another task", .unsupportedFeature("\(sentence): transformer_task fill-mask")) {
            try $0.set(sentence, "transformer_task", to: .string("fill-mask"))
        },
        Refusal(
            "a default prompt",
            .unsupportedFeature("config_sentence_transformers.json: a default prompt (query)")
        ) {
            try $0.write(
                "config_sentence_transformers.json",
                #"{"prompts":{"query":"query: "},"default_prompt_name":"query"}"#)
        },
    ]

    @Test(arguments: features)
    func settingThatChangesTheTextIsRefused(_ refusal: Refusal) throws { try refusal.check() }

    @Test(
        arguments: [
            "{}", #"{"prompts":{"query":"query: "}}"#,
            #"{"prompts":{"query":"q"},"default_prompt_name":null}"#,
            #"{"prompts":{"query":""},"default_prompt_name":"query"}"#,
            #"{"prompts":{},"default_prompt_name":"query"}"#,
        ])
    func promptsThatAreNotDefaultAreIgnored(config: String) throws {
        let checkpoint = try CheckpointCopy()
        try checkpoint.write("config_sentence_transformers.json", config)
        try checkpoint.convert()
    }
}
