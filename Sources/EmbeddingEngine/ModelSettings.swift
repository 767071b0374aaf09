import Safetensors
import Tokenization
import Transformer

/// Everything in a model file that is no tensor: it travels in the safetensors metadata as flat
/// keys and strings.
public struct ModelSettings: Sendable, Equatable {
    /// The version of the file's layout: since 2 the linear layers stand in panels.
    public static let format = "minilm-2"

    /// The model's name, for people and for the `model` field of answers.
    public var name: String
    public var configuration: BertConfiguration
    public var pooling: PoolingMode
    /// Whether the model's vectors are scaled to unit length.
    public var normalize: Bool
    /// The tokens that a text is cut to unless asked otherwise, special tokens included.
    public var maximumTokenCount: Int
    /// SHA-256 over weights, tokenizer and settings, in hexadecimal; every stored vector carries
    /// it.
    public var fingerprint: String
    /// Where the weights came from: source files' digests and types, the converter.
    public var provenance: [String: String]
    /// Texts whose vectors the file carries, for `minilm verify`.
    public var selfTestTexts: [String]
    public var tokenizer: TokenizerOptions

    /// The tokenizer's options; its tokens are tensors.
    public struct TokenizerOptions: Sendable, Equatable {
        public var wordPieceCount: Int
        public var cleanText: Bool
        public var handleChineseCharacters: Bool
        public var stripAccents: Bool
        public var lowercase: Bool
        public var unknownToken: String
        public var classificationToken: String
        public var separatorToken: String
        public var continuingSubwordPrefix: String
        public var maximumWordScalarCount: Int

        public init(_ settings: TokenizerSettings) {
            wordPieceCount = settings.wordPieceCount
            cleanText = settings.cleanText
            handleChineseCharacters = settings.handleChineseCharacters
            stripAccents = settings.stripAccents
            lowercase = settings.lowercase
            unknownToken = settings.unknownToken
            classificationToken = settings.classificationToken
            separatorToken = settings.separatorToken
            continuingSubwordPrefix = settings.continuingSubwordPrefix
            maximumWordScalarCount = settings.maximumWordScalarCount
        }
    }

    public init(
        name: String, configuration: BertConfiguration, pooling: PoolingMode, normalize: Bool,
        maximumTokenCount: Int, fingerprint: String = "", provenance: [String: String] = [:],
        selfTestTexts: [String] = [], tokenizer: TokenizerOptions
    ) {
        self.name = name
        self.configuration = configuration
        self.pooling = pooling
        self.normalize = normalize
        self.maximumTokenCount = maximumTokenCount
        self.fingerprint = fingerprint
        self.provenance = provenance
        self.selfTestTexts = selfTestTexts
        self.tokenizer = tokenizer
    }

    /// The settings that decide a text's vector: what the fingerprint covers.
    public var computation: [(key: String, value: String)] {
        let c = configuration
        return [
            ("hidden_size", String(c.hiddenSize)),
            ("num_hidden_layers", String(c.layerCount)),
            ("num_attention_heads", String(c.attentionHeadCount)),
            ("intermediate_size", String(c.intermediateSize)),
            ("vocab_size", String(c.vocabularySize)),
            ("max_position_embeddings", String(c.maximumPositionCount)),
            ("layer_norm_eps", c.layerNormEpsilon.description),
            ("pooling_mode", pooling.rawValue),
            ("normalize", String(normalize)),
            ("max_seq_length", String(maximumTokenCount)),
            ("wordpiece_count", String(tokenizer.wordPieceCount)),
            ("clean_text", String(tokenizer.cleanText)),
            ("handle_chinese_chars", String(tokenizer.handleChineseCharacters)),
            ("strip_accents", String(tokenizer.stripAccents)),
            ("lowercase", String(tokenizer.lowercase)),
            ("unk_token", tokenizer.unknownToken),
            ("cls_token", tokenizer.classificationToken),
            ("sep_token", tokenizer.separatorToken),
            ("continuing_subword_prefix", tokenizer.continuingSubwordPrefix),
            ("max_input_chars_per_word", String(tokenizer.maximumWordScalarCount)),
        ]
    }

    /// All settings as they stand in the file.
    public var metadata: [(key: String, value: String)] {
        [("format", Self.format), ("name", name), ("fingerprint", fingerprint)] + computation
            + provenance.sorted { $0.key < $1.key }.map { ("provenance.\($0.key)", $0.value) }
            + selfTestTexts.enumerated().map { ("self_test.\($0.offset)", $0.element) }
    }
}

extension ModelSettings {
    /// Reads the settings of a converted model.
    ///
    /// - Throws: `ModelError`.
    init(_ file: SafetensorsFile) throws(ModelError) {
        guard let format = file.metadata("format"), format.hasPrefix("minilm-") else {
            throw .notConverted(path: file.path)
        }
        guard format == Self.format else {
            throw .unsupportedFormat(path: file.path, version: format)
        }
        let reader = SettingReader(file: file)
        name = try reader.string("name")
        fingerprint = try reader.string("fingerprint")
        do {
            configuration = try BertConfiguration(
                hiddenSize: try reader.value("hidden_size"),
                layerCount: try reader.value("num_hidden_layers"),
                attentionHeadCount: try reader.value("num_attention_heads"),
                intermediateSize: try reader.value("intermediate_size"),
                vocabularySize: try reader.value("vocab_size"),
                maximumPositionCount: try reader.value("max_position_embeddings"),
                layerNormEpsilon: try reader.value("layer_norm_eps"))
        } catch let error as TransformerError {
            throw .configuration(path: file.path, error)
        } catch let error as ModelError {
            throw error
        } catch {
            throw .notConverted(path: file.path)
        }
        guard let pooling = PoolingMode(rawValue: try reader.string("pooling_mode")) else {
            throw reader.invalid("pooling_mode")
        }
        self.pooling = pooling
        normalize = try reader.value("normalize")
        maximumTokenCount = try reader.value("max_seq_length")
        guard (2...configuration.maximumPositionCount).contains(maximumTokenCount) else {
            throw reader.invalid("max_seq_length")
        }
        tokenizer = try TokenizerOptions(reader)
        provenance = [:]
        selfTestTexts = []
        for (key, value) in file.header.metadata {
            if key.hasPrefix("provenance.") { provenance[String(key.dropFirst(11))] = value }
            if key == "self_test.\(selfTestTexts.count)" { selfTestTexts.append(value) }
        }
    }
}

extension ModelSettings.TokenizerOptions {
    fileprivate init(_ reader: SettingReader) throws(ModelError) {
        wordPieceCount = try reader.value("wordpiece_count")
        cleanText = try reader.value("clean_text")
        handleChineseCharacters = try reader.value("handle_chinese_chars")
        stripAccents = try reader.value("strip_accents")
        lowercase = try reader.value("lowercase")
        unknownToken = try reader.string("unk_token")
        classificationToken = try reader.string("cls_token")
        separatorToken = try reader.string("sep_token")
        continuingSubwordPrefix = try reader.string("continuing_subword_prefix")
        maximumWordScalarCount = try reader.value("max_input_chars_per_word")
    }

    func settings(tokens: TokenList, addedTokenIDs: [Int32]) -> TokenizerSettings {
        var settings = TokenizerSettings(
            tokens: tokens, wordPieceCount: wordPieceCount, addedTokenIDs: addedTokenIDs)
        settings.cleanText = cleanText
        settings.handleChineseCharacters = handleChineseCharacters
        settings.stripAccents = stripAccents
        settings.lowercase = lowercase
        settings.unknownToken = unknownToken
        settings.classificationToken = classificationToken
        settings.separatorToken = separatorToken
        settings.continuingSubwordPrefix = continuingSubwordPrefix
        settings.maximumWordScalarCount = maximumWordScalarCount
        return settings
    }
}

private struct SettingReader {
    let file: SafetensorsFile

    func invalid(_ key: String) -> ModelError {
        .invalidSetting(path: file.path, key: key, value: file.metadata(key))
    }

    func string(_ key: String) throws(ModelError) -> String {
        guard let value = file.metadata(key) else { throw invalid(key) }
        return value
    }

    func value<Value: LosslessStringConvertible>(_ key: String) throws(ModelError) -> Value {
        guard let value = Value(try string(key)) else { throw invalid(key) }
        return value
    }
}
