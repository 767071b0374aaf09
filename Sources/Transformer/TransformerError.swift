/// What keeps a model from running.
public enum TransformerError: Error, Equatable, CustomStringConvertible {
    /// A size or constant of the configuration makes no model; the text names it.
    case invalidConfiguration(String)
    /// A token id outside of the vocabulary.
    case tokenOutOfRange(id: Int32, vocabularySize: Int)
    /// A sequence longer than the model's position table, or of no tokens.
    case sequenceLengthOutOfRange(Int, limit: Int)
    /// The vector of a sequence has a NaN or an infinity: the weights are damaged or the model
    /// overflows.
    case nonFiniteOutput(sequence: Int)

    public var description: String {
        switch self {
        case .invalidConfiguration(let reason): reason
        case .tokenOutOfRange(let id, let size):
            "token id \(id) is outside of the vocabulary of \(size)"
        case .sequenceLengthOutOfRange(let length, let limit):
            "a sequence of \(length) tokens is not within 1 and \(limit)"
        case .nonFiniteOutput(let sequence):
            "the vector of text \(sequence) is not finite: the model's weights are damaged"
        }
    }
}
