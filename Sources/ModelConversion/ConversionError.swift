import EmbeddingEngine
import JSON
import Safetensors
import SystemPackage
import Tokenization
import Transformer

/// Why a checkpoint cannot be converted. Nothing is written then.
public enum ConversionError: Error, Equatable, CustomStringConvertible {
    case file(FileError)
    /// A file of the checkpoint that is larger than anything of its kind.
    case fileTooLarge(path: String, byteCount: Int, limit: Int)
    case json(path: String, JSONError)
    case safetensors(path: String, SafetensorsError)
    /// There is no model.safetensors; `found` names what is there instead, if anything is.
    case noWeights(directory: String, found: String?)
    case noVocabulary(directory: String)
    case missingSetting(path: String, key: String)
    case invalidSetting(path: String, key: String, value: String)
    /// Two files of the checkpoint say different things.
    case contradiction(String)
    case configuration(TransformerError)
    /// config.json's model_type is not bert.
    case unsupportedArchitecture(String)
    case unsupportedActivation(String)
    case unsupportedPositionType(String)
    /// A module of the sentence-transformers pipeline beyond Transformer, Pooling and Normalize: a
    /// dense or sparse head.
    case unsupportedModule(String)
    case unsupportedPooling(String)
    /// A part of tokenizer.json that the tokenizer does not have.
    case unsupportedTokenizer(part: String, value: String)
    /// Something else in the settings that changes what the model computes.
    case unsupportedFeature(String)
    case missingTensor(String)
    /// A tensor that a BERT encoder does not have.
    case extraTensor(String)
    case wrongShape(tensor: String, expected: [Int], actual: [Int])
    case unsupportedDType(tensor: String, dtype: String)
    /// A weight that is NaN or infinite.
    case nonFiniteWeight(tensor: String, index: Int)
    /// The vocabulary has fewer or more tokens than the embedding table has rows.
    case vocabularySizeMismatch(tokens: Int, embeddings: Int)
    case tokenizer(TokenizerError)
    /// The weights are finite, but the vector of a self-test text is not.
    case nonFiniteVector(selfTest: Int)
    /// The engine computes other vectors than the double-precision reference does.
    case selfTestFailed(difference: Float)
    /// The output would overwrite a file of the checkpoint.
    case outputIsInput(path: String)
    /// Names and other settings that make the model's header longer than readers accept.
    case settingsTooLong(byteCount: Int, limit: Int)

    public var description: String {
        switch self {
        case .file(let error): error.description
        case .fileTooLarge(let path, let count, let limit):
            "\(path): \(count) bytes, more than the \(limit) that such a file may have"
        case .json(let path, let error): "\(path): \(error)"
        case .safetensors(let path, let error): "\(path): \(error)"
        case .noWeights(let directory, let found):
            found.map {
                "\(directory): has \($0), but no model.safetensors; save it with safetensors in one file first"
            } ?? "\(directory): no model.safetensors"
        case .noVocabulary(let directory): "\(directory): neither tokenizer.json nor vocab.txt"
        case .missingSetting(let path, let key): "\(path): \(key) is missing"
        case .invalidSetting(let path, let key, let value):
            "\(path): \(key) has the invalid value \(value)"
        case .contradiction(let text): text
        case .configuration(let error): "config.json: \(error)"
        case .unsupportedArchitecture(let type):
            "the architecture \"\(type)\" is not supported: only BERT encoders are"
        case .unsupportedActivation(let name):
            "the activation \"\(name)\" is not supported: only gelu (erf) is"
        case .unsupportedPositionType(let name):
            "the position type \"\(name)\" is not supported: only absolute is"
        case .unsupportedModule(let type):
            "the module \"\(type)\" is not supported: only Transformer, Pooling and Normalize are"
        case .unsupportedPooling(let mode):
            "the pooling \"\(mode)\" is not supported: only mean, cls and max are"
        case .unsupportedTokenizer(let part, let value):
            "tokenizer.json: \(part) \(value) is not supported"
        case .unsupportedFeature(let text): "\(text) is not supported"
        case .missingTensor(let name): "the checkpoint has no tensor \"\(name)\""
        case .extraTensor(let name): "the tensor \"\(name)\" is not part of a BERT encoder"
        case .wrongShape(let name, let expected, let actual):
            "tensor \"\(name)\" has the shape \(actual), config.json says \(expected)"
        case .unsupportedDType(let name, let dtype):
            "tensor \"\(name)\" is \(dtype); only F32, F16 and BF16 are supported"
        case .nonFiniteWeight(let name, let index):
            "tensor \"\(name)\" is not finite at element \(index): the checkpoint is damaged"
        case .vocabularySizeMismatch(let tokens, let rows):
            "the vocabulary has \(tokens) tokens, the embedding table \(rows) rows"
        case .tokenizer(let error): error.description
        case .nonFiniteVector(let index):
            "the vector of self-test text \(index) is not finite: the checkpoint is damaged"
        case .selfTestFailed(let difference):
            "the engine's self-test vectors differ by \(difference) from the reference's"
        case .outputIsInput(let path): "\(path): is a file of the checkpoint; write elsewhere"
        case .settingsTooLong(let count, let limit):
            "the settings make a header of \(count) bytes, more than the \(limit) that are read"
        }
    }
}
