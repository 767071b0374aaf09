/// Why no tokenizer can be made of its settings.
public enum TokenizerError: Error, Equatable, CustomStringConvertible {
    case emptyVocabulary
    /// 2^24 tokens or more.
    case vocabularyTooLarge
    /// A token of no bytes.
    case emptyToken(id: Int)
    /// A token whose bytes are not UTF-8.
    case tokenNotUTF8(id: Int)
    /// Two ids have the same token.
    case duplicateToken(String, ids: [Int])
    /// A token that the model cannot do without is not in the vocabulary.
    case missingToken(String)
    /// An added token's id is outside of the vocabulary.
    case addedTokenOutOfRange(id: Int, vocabularySize: Int)
    /// The word length limit is not in 1...10000.
    case wordLimitOutOfRange(Int)
    /// `wordPieceCount` is not in 1...tokens.count.
    case wordPieceCountOutOfRange(Int, vocabularySize: Int)

    public var description: String {
        switch self {
        case .emptyVocabulary: "the vocabulary is empty"
        case .vocabularyTooLarge: "the vocabulary is too large"
        case .emptyToken(let id): "token \(id) of the vocabulary is empty"
        case .tokenNotUTF8(let id): "token \(id) of the vocabulary is not UTF-8"
        case .duplicateToken(let token, let ids):
            "the vocabulary has \"\(token)\" twice, as \(ids.map(String.init).joined(separator: " and "))"
        case .missingToken(let token): "the vocabulary has no \"\(token)\""
        case .addedTokenOutOfRange(let id, let size):
            "added token \(id) is outside of the vocabulary of \(size) tokens"
        case .wordLimitOutOfRange(let limit): "the word limit \(limit) is not within 1 and 10000"
        case .wordPieceCountOutOfRange(let count, let size):
            "\(count) word pieces do not fit a vocabulary of \(size) tokens"
        }
    }
}
