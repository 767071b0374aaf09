/// The tokenizer of BERT models: text to token ids, exactly as Hugging Face's `tokenizers` gives
/// them.
///
/// `BertNormalizer` → `BertPreTokenizer` → WordPiece → `[CLS] … [SEP]` → truncation, in one pass
/// over the UTF-8 bytes and in linear time. Added tokens (`[CLS]`, `[MASK]`…) in a text become
/// their ids, as in the reference.
public struct Tokenizer: Sendable {
    public let settings: TokenizerSettings
    public let classificationID: Int32
    public let separatorID: Int32
    public let unknownID: Int32
    private let vocabulary: Vocabulary
    private let scalars: ScalarTable
    private let addedTokens: AddedTokenMatcher
    private let byteClasses: [ByteClass]
    /// What ASCII bytes of words become.
    private let asciiReplacements: [UInt8]
    private let continuingPrefix: [UInt8]

    /// What the pass does at a byte before it looks any closer.
    private enum ByteClass: UInt8 {
        case word, space, punctuation, removed
        /// Part of a scalar beyond ASCII, or the first byte of an added token.
        case other

        /// Whether combining marks before it are in their final order. What is removed leaves no trace.
        @inline(__always) var isStarter: Bool { self != .other && self != .removed }
    }

    /// - Throws: `TokenizerError`.
    public init(_ settings: TokenizerSettings) throws(TokenizerError) {
        self.settings = settings
        vocabulary = try Vocabulary(settings.tokens)
        let size = vocabulary.count
        guard (1...size).contains(settings.wordPieceCount) else {
            throw .wordPieceCountOutOfRange(settings.wordPieceCount, vocabularySize: size)
        }
        guard (1...10_000).contains(settings.maximumWordScalarCount) else {
            throw .wordLimitOutOfRange(settings.maximumWordScalarCount)
        }
        unknownID = try Self.id(of: settings.unknownToken, in: vocabulary)
        classificationID = try Self.id(of: settings.classificationToken, in: vocabulary)
        separatorID = try Self.id(of: settings.separatorToken, in: vocabulary)
        for id in settings.addedTokenIDs where !(0..<Int32(size)).contains(id) {
            throw .addedTokenOutOfRange(id: Int(id), vocabularySize: size)
        }
        let vocabulary = self.vocabulary
        addedTokens = AddedTokenMatcher(
            settings.addedTokenIDs.map { (Array(vocabulary.token(Int($0))), $0) })
        scalars = ScalarTable(
            NormalizationSteps(
                cleanText: settings.cleanText,
                handleChineseCharacters: settings.handleChineseCharacters,
                stripAccents: settings.stripAccents, lowercase: settings.lowercase))
        let (addedTokens, scalars) = (self.addedTokens, self.scalars)
        byteClasses = (0..<256).map { byte in
            guard byte < 0x80, !addedTokens.startsToken(UInt8(byte)) else { return .other }
            let entry = scalars[UInt32(byte)]
            if entry == .removed { return .removed }
            if entry.has(ScalarTable.Entry.whitespace) { return .space }
            return entry.has(ScalarTable.Entry.punctuation) ? .punctuation : .word
        }
        asciiReplacements = (0..<256).map { byte in
            let payload = byte < 0x80 ? scalars[UInt32(byte)].payload : 0
            return payload == 0 ? UInt8(byte) : UInt8(truncatingIfNeeded: payload)
        }
        continuingPrefix = Array(settings.continuingSubwordPrefix.utf8)
    }

    private static func id(
        of token: String, in vocabulary: Vocabulary
    ) throws(TokenizerError) -> Int32 {
        guard let id = vocabulary.id(of: token.utf8) else { throw .missingToken(token) }
        return id
    }

    /// How many tokens the vocabulary has.
    public var vocabularySize: Int { vocabulary.count }

    /// The token of an id, with its continuing-subword prefix; nil beyond the vocabulary.
    public func token(_ id: Int32) -> String? {
        guard (0..<Int32(vocabularySize)).contains(id) else { return nil }
        return String(decoding: vocabulary.token(Int(id)), as: UTF8.self)
    }

    /// Ids and byte offsets of a text.
    ///
    /// - Parameters:
    ///   - truncation: the window; nil for the whole text.
    /// - Returns: `[CLS]`, the text's tokens, `[SEP]`.
    public func encode(_ text: String, truncation: Truncation? = nil) -> Encoding {
        encode(text, truncation: truncation, recordsOffsets: true)
    }

    /// Ids of a text, without offsets: what the model needs.
    public func encodeIDs(_ text: String, truncation: Truncation? = nil) -> Encoding {
        encode(text, truncation: truncation, recordsOffsets: false)
    }

    /// The number of tokens of a text, special tokens included, with nothing stored.
    public func tokenCount(_ text: String) -> Int {
        run(text, recordsOffsets: false, storageLimit: 0).tokenCount + 2
    }

    private func encode(
        _ text: String, truncation: Truncation?, recordsOffsets: Bool
    ) -> Encoding {
        let room = truncation.map { $0.maximumTokenCount - 2 } ?? Int.max
        let keepsEnd = truncation?.direction == .left
        let result = run(
            text, recordsOffsets: recordsOffsets, storageLimit: keepsEnd ? Int.max : room)
        let skipped = keepsEnd ? max(result.ids.count - room, 0) : 0
        let kept = result.ids.count - skipped

        var encoding = Encoding(
            ids: [], offsets: [], droppedTokenCount: result.tokenCount - kept)
        encoding.ids.reserveCapacity(kept + 2)
        encoding.ids.append(classificationID)
        encoding.ids.append(contentsOf: result.ids[skipped...])
        encoding.ids.append(separatorID)
        if recordsOffsets {
            encoding.offsets.reserveCapacity(kept + 2)
            encoding.offsets.append(0..<0)
            encoding.offsets.append(contentsOf: result.offsets[skipped...])
            encoding.offsets.append(0..<0)
        }
        return encoding
    }

    private func run(
        _ text: String, recordsOffsets: Bool, storageLimit: Int
    ) -> (ids: [Int32], offsets: [Range<Int>], tokenCount: Int) {
        var text = text
        return text.withUTF8 { utf8 in
            continuingPrefix.withUnsafeBufferPointer { prefix in
                vocabulary.withUnsafeTable { table in
                    var words = WordPieceEncoder(
                        table, wordPieceCount: settings.wordPieceCount, continuingPrefix: prefix,
                        unknownID: unknownID,
                        maximumWordScalarCount: settings.maximumWordScalarCount,
                        recordsOffsets: recordsOffsets, storageLimit: storageLimit)
                    defer { words.deallocate() }
                    scan(utf8, &words)
                    return (words.ids, words.offsets, words.tokenCount)
                }
            }
        }
    }

    private func scan(_ text: UnsafeBufferPointer<UInt8>, _ words: inout WordPieceEncoder) {
        byteClasses.withUnsafeBufferPointer { classes in
            asciiReplacements.withUnsafeBufferPointer { replacements in
                scan(text, classes, replacements, &words)
            }
        }
    }

    private func scan(
        _ text: UnsafeBufferPointer<UInt8>, _ classes: UnsafeBufferPointer<ByteClass>,
        _ replacements: UnsafeBufferPointer<UInt8>, _ words: inout WordPieceEncoder
    ) {
        var normalizer = TextNormalizer(scalars)
        var position = 0
        while position < text.count {
            let byteClass = classes[Int(text[position])]
            if byteClass.isStarter { normalizer.startNewCluster(&words) }
            switch byteClass {
            case .word:
                let start = position
                repeat {
                    position += 1
                } while position < text.count
                    && classes[Int(text[position])] == .word
                words.append(
                    ascii: UnsafeBufferPointer(rebasing: text[start..<position]), at: start,
                    replacements: replacements)
            case .space:
                words.endWord()
                position += 1
            case .punctuation:
                words.endWord()
                words.append(
                    ascii: UnsafeBufferPointer(rebasing: text[position...position]), at: position,
                    replacements: replacements)
                words.endWord()
                position += 1
            case .removed: position += 1
            case .other:
                if let match = addedTokens.match(text, at: position) {
                    normalizer.finish(&words)
                    words.append(tokenID: match.id, from: position..<position + match.length)
                    position += match.length
                } else {
                    let (scalar, length) = Self.scalar(text, at: position)
                    normalizer.append(scalar, at: position..<position + length, to: &words)
                    position += length
                }
            }
        }
        normalizer.finish(&words)
    }

    /// The scalar at a position of valid UTF-8.
    @inline(__always)
    private static func scalar(
        _ text: UnsafeBufferPointer<UInt8>, at i: Int
    ) -> (UInt32, length: Int) {
        let byte = UInt32(text[i])
        if byte < 0x80 { return (byte, 1) }
        func tail(_ offset: Int) -> UInt32 { UInt32(text[i + offset] & 0x3F) }
        if byte < 0xE0 { return ((byte & 0x1F) << 6 | tail(1), 2) }
        if byte < 0xF0 { return ((byte & 0x0F) << 12 | tail(1) << 6 | tail(2), 3) }
        return ((byte & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4)
    }
}
