import Safetensors
import Tokenization
import Transformer

/// A converted model, mapped and ready: tokenizer, encoder and settings.
public struct EmbeddingModel: Sendable {
    public let settings: ModelSettings
    public let tokenizer: Tokenizer
    public private(set) var encoder: BertEncoder
    public let file: SafetensorsFile

    /// The size of the model's file.
    public var byteCount: Int { file.file.bytes.count }

    public var dimension: Int { settings.configuration.hiddenSize }

    /// The names of the tensors beside the weights.
    public enum TensorName {
        /// All tokens' UTF-8 bytes: U8 `[bytes]`.
        public static let tokenBytes = "tokenizer.token_bytes"
        /// Where each token ends: I32 `[V]`.
        public static let tokenEnds = "tokenizer.token_ends"
        /// I32 `[tokens]`.
        public static let addedTokenIDs = "tokenizer.added_token_ids"
        /// F32 `[texts, H]`.
        public static let selfTestVectors = "self_test.vectors"
        public static let paddingPrefix = "padding."
    }

    /// Opens a file that `minilm convert` wrote. Shapes, offsets and settings are checked; the
    /// weights' values are not read.
    ///
    /// - Parameter isNeededSoon: whether a thread brings the weights into memory meanwhile, for who
    ///   is going to compute.
    /// - Throws: `ModelError`.
    public init(path: String, isNeededSoon: Bool = false) throws(ModelError) {
        do {
            file = try SafetensorsFile(path: path)
            settings = try ModelSettings(file)
            let weights = try BertWeights(file, settings.configuration)
            Self.prepareLayers(file, isNeededSoon: isNeededSoon)
            try Self.checkNames(file, settings.configuration)
            tokenizer = try Self.tokenizer(file, settings)
            encoder = BertEncoder(
                settings.configuration, weights, pooling: settings.pooling, backend: .simd)
        } catch let error as ModelError {
            throw error
        } catch let error as FileError {
            throw .file(error)
        } catch let error as SafetensorsError {
            throw .safetensors(path: path, error)
        } catch {
            throw .notConverted(path: path)
        }
    }

    /// Every text needs all of the layers, and a few rows of the embeddings.
    private static func prepareLayers(_ file: SafetensorsFile, isNeededSoon: Bool) {
        let ranges = file.header.tensors.filter { $0.name.hasPrefix(BertWeights.layerPrefix) }
            .map(\.fileRange)
        guard let start = ranges.map(\.lowerBound).min(), let end = ranges.map(\.upperBound).max()
        else { return }
        file.file.useLargePages(from: start)
        // Without a thread the first text waits for the pages.
        if isNeededSoon { _ = Threads.start { file.file.load(start..<end) } }
    }

    /// The same model, computed by another backend, which must be installed.
    public func on(_ backend: Backend) -> EmbeddingModel {
        var model = self
        model.encoder = encoder.on(backend)
        return model
    }

    private static func checkNames(
        _ file: SafetensorsFile, _ configuration: BertConfiguration
    ) throws(ModelError) {
        var known = Set(BertWeights.layout(configuration).map(\.name))
        known.formUnion([
            TensorName.tokenBytes, TensorName.tokenEnds, TensorName.addedTokenIDs,
            TensorName.selfTestVectors,
        ])
        for tensor in file.header.tensors
        where !known.contains(tensor.name) && !tensor.name.hasPrefix(TensorName.paddingPrefix) {
            throw .unknownTensor(path: file.path, name: tensor.name)
        }
    }

    private static func tokenizer(
        _ file: SafetensorsFile, _ settings: ModelSettings
    ) throws -> Tokenizer {
        func vector<Element: BitwiseCopyable>(
            _ name: String, _ dtype: DType, as type: Element.Type
        ) throws -> UnsafeBufferPointer<Element> {
            guard let tensor = file.tensor(name) else { throw SafetensorsError.missingTensor(name) }
            return try file.elements(name, dtype, [tensor.elementCount], as: type)
        }
        let bytes = try vector(TensorName.tokenBytes, .u8, as: UInt8.self)
        let ends = try vector(TensorName.tokenEnds, .i32, as: Int32.self)
        guard let tokens = TokenList(bytes: bytes, ends: ends) else {
            throw ModelError.invalidSetting(
                path: file.path, key: TensorName.tokenEnds, value: "not ascending to the end")
        }
        guard tokens.count == settings.configuration.vocabularySize else {
            throw ModelError.vocabularySizeMismatch(
                path: file.path, tokens: tokens.count,
                embeddings: settings.configuration.vocabularySize)
        }
        let added = try vector(TensorName.addedTokenIDs, .i32, as: Int32.self)
        do throws(TokenizerError) {
            return try Tokenizer(
                settings.tokenizer.settings(tokens: tokens, addedTokenIDs: Array(added)))
        } catch {
            throw ModelError.tokenizer(path: file.path, error)
        }
    }

    /// The vectors that the converter computed for ``ModelSettings/selfTestTexts``, `[texts, H]`.
    ///
    /// - Throws: `SafetensorsError`.
    public func selfTestVectors() throws(SafetensorsError) -> UnsafeBufferPointer<Float> {
        try file.elements(
            TensorName.selfTestVectors, .f32, [settings.selfTestTexts.count, dimension],
            as: Float.self)
    }
}
