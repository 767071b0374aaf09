/// What a tokenizer is made of: a vocabulary and the options of its normalizer and model.
///
/// Names are those of `BertNormalizer` and `WordPiece` in Hugging Face's `tokenizers`.
public struct TokenizerSettings: Sendable, Equatable {
    /// The tokens in the order of their ids.
    public var tokens: TokenList
    /// How many of `tokens`, from the first, WordPiece may produce; those after it are added tokens
    /// only.
    public var wordPieceCount: Int
    /// Ids of the tokens that are found in the raw text before anything else (`[CLS]`, `[SEP]`…).
    public var addedTokenIDs: [Int32]
    public var cleanText = true
    public var handleChineseCharacters = true
    public var stripAccents = true
    public var lowercase = true
    public var unknownToken = "[UNK]"
    public var classificationToken = "[CLS]"
    public var separatorToken = "[SEP]"
    public var continuingSubwordPrefix = "##"
    /// Words of more scalars than this are unknown.
    public var maximumWordScalarCount = 100

    public init(tokens: TokenList, wordPieceCount: Int? = nil, addedTokenIDs: [Int32] = []) {
        self.tokens = tokens
        self.wordPieceCount = wordPieceCount ?? tokens.count
        self.addedTokenIDs = addedTokenIDs
    }
}
