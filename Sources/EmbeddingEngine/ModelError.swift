import Safetensors
import Tokenization
import Transformer

/// Why a file is not a model that this engine runs.
public enum ModelError: Error, Equatable, CustomStringConvertible {
    case file(FileError)
    case safetensors(path: String, SafetensorsError)
    /// A safetensors file, but not one that `minilm convert` wrote.
    case notConverted(path: String)
    /// Written by a version of `minilm convert` whose format this engine does not read.
    case unsupportedFormat(path: String, version: String)
    /// A setting is missing from the file's metadata, or is not what it must be.
    case invalidSetting(path: String, key: String, value: String?)
    case configuration(path: String, TransformerError)
    case tokenizer(path: String, TokenizerError)
    /// A tensor that belongs to no model of this configuration.
    case unknownTensor(path: String, name: String)
    /// The vocabulary's size is not that of the embedding table.
    case vocabularySizeMismatch(path: String, tokens: Int, embeddings: Int)

    public var description: String {
        switch self {
        case .file(let error): error.description
        case .safetensors(let path, let error): "\(path): \(error)"
        case .notConverted(let path):
            "\(path): not a converted model; make one with: minilm convert MODEL_DIR \(path)"
        case .unsupportedFormat(let path, let version):
            "\(path): model format \(version) is not supported; convert the checkpoint again"
        case .invalidSetting(let path, let key, let value):
            value.map { "\(path): setting \(key) has the invalid value \"\($0)\"" }
                ?? "\(path): setting \(key) is missing"
        case .configuration(let path, let error): "\(path): \(error)"
        case .tokenizer(let path, let error): "\(path): \(error)"
        case .unknownTensor(let path, let name):
            "\(path): tensor \"\(name)\" belongs to no model of this configuration"
        case .vocabularySizeMismatch(let path, let tokens, let embeddings):
            "\(path): \(tokens) tokens for \(embeddings) rows of embeddings"
        }
    }
}
