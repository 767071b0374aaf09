import JSON
import Tokenization
import Transformer

/// What a sentence-transformers checkpoint computes, from its JSON files.
struct CheckpointSettings {
    var configuration: BertConfiguration
    var tokenTypeCount: Int
    var pooling: PoolingMode
    var normalize: Bool
    var maximumTokenCount: Int
    /// The directory of config.json and the weights: the checkpoint's or one below.
    var transformer: CheckpointDirectory

    init(_ directory: CheckpointDirectory) throws(ConversionError) {
        let modules = try Modules(directory)
        transformer = modules.transformer
        let config = try transformer.json("config.json")
        try Self.checkArchitecture(config)
        let epsilon = try config.value("layer_norm_eps", \.double) ?? 1e-12
        let sizes = [
            "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
            "vocab_size", "max_position_embeddings",
        ]
        var values: [Int] = []
        for key in sizes { values.append(try config.required(key, \.int)) }
        do throws(TransformerError) {
            configuration = try BertConfiguration(
                hiddenSize: values[0], layerCount: values[1], attentionHeadCount: values[2],
                intermediateSize: values[3], vocabularySize: values[4],
                maximumPositionCount: values[5], layerNormEpsilon: Float(epsilon))
        } catch {
            throw .configuration(error)
        }
        tokenTypeCount = try config.value("type_vocab_size", \.int) ?? 2
        guard (1...1024).contains(tokenTypeCount) else { throw config.invalid("type_vocab_size") }
        pooling = modules.pooling
        normalize = modules.normalize
        maximumTokenCount = try Self.maximumTokenCount(transformer, configuration)
        try Self.checkPooledWidth(modules.poolingConfig, configuration)
        try Self.checkPrompts(directory)
    }

    private static func checkArchitecture(_ config: JSONFile) throws(ConversionError) {
        let type = try config.required("model_type", \.string)
        guard type == "bert" else { throw .unsupportedArchitecture(type) }
        let activation = try config.value("hidden_act", \.string) ?? "gelu"
        guard activation == "gelu" else { throw .unsupportedActivation(activation) }
        let positions = try config.value("position_embedding_type", \.string) ?? "absolute"
        guard positions == "absolute" else { throw .unsupportedPositionType(positions) }
        for key in ["is_decoder", "add_cross_attention"]
        where try config.value(key, \.bool) == true {
            throw .unsupportedFeature("config.json: \(key)")
        }
        if config.root["quantization_config"].map({ !$0.isNull }) == true {
            throw .unsupportedFeature("config.json: quantization_config")
        }
    }

    /// As sentence-transformers decides it: its own setting, else the tokenizer's, at most the
    /// position table.
    private static func maximumTokenCount(
        _ directory: CheckpointDirectory, _ configuration: BertConfiguration
    ) throws(ConversionError) -> Int {
        let positions = configuration.maximumPositionCount
        if let file = try directory.jsonIfPresent("sentence_bert_config.json") {
            if try file.value("do_lower_case", \.bool) == true {
                throw .unsupportedFeature("sentence_bert_config.json: do_lower_case")
            }
            if let task = try file.value("transformer_task", \.string),
                task != "feature-extraction"
            {
                throw .unsupportedFeature("sentence_bert_config.json: transformer_task \(task)")
            }
            if let count = try file.value("max_seq_length", \.int) {
                guard (2...positions).contains(count) else { throw file.invalid("max_seq_length") }
                return count
            }
        }
        // Tokenizers without a limit of their own say 1e30.
        if let file = try directory.jsonIfPresent("tokenizer_config.json"),
            let limit = try file.value("model_max_length", \.double)
        {
            guard limit >= 2 else { throw file.invalid("model_max_length") }
            return limit < Double(positions) ? Int(limit) : positions
        }
        return positions
    }

    private static func checkPooledWidth(
        _ config: JSONFile?, _ configuration: BertConfiguration
    ) throws(ConversionError) {
        guard let config else { return }
        for key in ["word_embedding_dimension", "embedding_dimension"] {
            guard let width = try config.value(key, \.int) else { continue }
            guard width == configuration.hiddenSize else {
                throw .contradiction(
                    "\(config.path): \(key) is \(width), config.json says hidden_size "
                        + "\(configuration.hiddenSize)")
            }
        }
    }

    /// A default prompt would be put before every text.
    private static func checkPrompts(_ directory: CheckpointDirectory) throws(ConversionError) {
        guard let file = try directory.jsonIfPresent("config_sentence_transformers.json"),
            let name = try file.value("default_prompt_name", \.string),
            let prompt = file.root["prompts"]?[name]?.string, !prompt.isEmpty
        else { return }
        throw .unsupportedFeature("config_sentence_transformers.json: a default prompt (\(name))")
    }
}

/// The pipeline of modules.json: a transformer, its pooling, and perhaps normalization.
private struct Modules {
    var transformer: CheckpointDirectory
    var pooling = PoolingMode.mean
    var poolingConfig: JSONFile?
    var normalize = false

    /// A directory without modules.json is a plain transformer: sentence-transformers gives it mean
    /// pooling.
    init(_ directory: CheckpointDirectory) throws(ConversionError) {
        transformer = directory
        guard let file = try directory.jsonIfPresent("modules.json") else { return }
        guard let entries = file.root.array else {
            throw .invalidSetting(
                path: file.path, key: "modules.json", value: JSONFile.shown(file.root))
        }
        var kinds: [String] = []
        for entry in entries {
            let module = JSONFile(path: file.path, root: entry)
            let type = try module.required("type", \.string)
            let place = try directory.subdirectory(try module.required("path", \.string))
            let kind = type.split(separator: ".").last.map(String.init) ?? type
            kinds.append(kind)
            switch kind {
            case "Transformer": transformer = place
            case "Pooling":
                let config = try place.json("config.json")
                pooling = try Self.pooling(config)
                poolingConfig = config
            case "Normalize": normalize = true
            default: throw .unsupportedModule(type)
            }
        }
        let allowed = [["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]]
        guard allowed.contains(kinds) else {
            throw .unsupportedFeature("the module sequence \(kinds.joined(separator: ", "))")
        }
    }

    /// Both forms of the setting: one name, or a flag a mode.
    private static func pooling(_ config: JSONFile) throws(ConversionError) -> PoolingMode {
        var names: [String] = []
        if let mode = config.root["pooling_mode"] {
            let modes = mode.array ?? [mode]
            names = modes.compactMap(\.string)
            guard !names.isEmpty, names.count == modes.count else {
                throw config.invalid("pooling_mode")
            }
        } else {
            let flags = [
                ("pooling_mode_cls_token", "cls"), ("pooling_mode_mean_tokens", "mean"),
                ("pooling_mode_max_tokens", "max"),
                ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
                ("pooling_mode_weightedmean_tokens", "weightedmean"),
                ("pooling_mode_lasttoken", "lasttoken"),
            ]
            for (key, name) in flags where try config.value(key, \.bool) == true {
                names.append(name)
            }
            if names.isEmpty { throw .missingSetting(path: config.path, key: "pooling_mode") }
        }
        guard names.count == 1, let mode = PoolingMode(rawValue: names[0]) else {
            throw .unsupportedPooling(names.joined(separator: " and "))
        }
        return mode
    }
}
