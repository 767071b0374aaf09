import Safetensors
import Transformer

/// Why texts could not be embedded.
public enum EmbeddingError: Error, Equatable, CustomStringConvertible {
    /// The window that was asked for is less than 2 tokens or more than the model has positions.
    case maximumTokenCountOutOfRange(Int, largest: Int)
    /// More elements were asked for than a vector has, or none.
    case dimensionOutOfRange(Int, largest: Int)
    /// A text is longer than the window and was not to be cut.
    case textTooLong(index: Int, tokenCount: Int, limit: Int)
    case model(TransformerError)
    /// The caller's `onBatch` said so.
    case cancelled
    case file(FileError)
    /// The system gave no thread to compute on, or not the address space that one needs.
    case noThreads

    public var description: String {
        switch self {
        case .maximumTokenCountOutOfRange(let count, let largest):
            "a window of \(count) tokens is not within 2 and the model's \(largest)"
        case .dimensionOutOfRange(let count, let largest):
            "\(count) dimensions are not within 1 and the model's \(largest)"
        case .textTooLong(let index, let count, let limit):
            "text \(index) has \(count) tokens, more than the window of \(limit)"
        case .model(let error): error.description
        case .cancelled: "cancelled"
        case .file(let error): error.description
        case .noThreads:
            "the system gave no thread to compute on, or the address space is limited (ulimit -v)"
        }
    }
}
