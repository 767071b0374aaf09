import EmbeddingEngine
import Safetensors
import Tokenization

/// A tokenizer's tokens as tensors of a model file.
struct TokenizerTensors {
    private let settings: TokenizerSettings

    init(_ settings: TokenizerSettings) { self.settings = settings }

    func add(to writer: inout SafetensorsWriter) {
        typealias Name = EmbeddingModel.TensorName
        writer.add(Name.tokenBytes, .u8, [settings.tokens.bytes.count], settings.tokens.bytes)
        writer.add(Name.tokenEnds, [settings.tokens.count], settings.tokens.ends)
        writer.add(Name.addedTokenIDs, [settings.addedTokenIDs.count], settings.addedTokenIDs)
    }

    /// The bytes of a tensor as they will stand in the file; nil for other names.
    func bytes(_ name: String) -> [UInt8]? {
        switch name {
        case EmbeddingModel.TensorName.tokenBytes: settings.tokens.bytes
        case EmbeddingModel.TensorName.tokenEnds: settings.tokens.ends.withUnsafeBytes(Array.init)
        case EmbeddingModel.TensorName.addedTokenIDs:
            settings.addedTokenIDs.withUnsafeBytes(Array.init)
        default: nil
        }
    }
}
