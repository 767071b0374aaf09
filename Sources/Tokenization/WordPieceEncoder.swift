/// Collects a word's normalized bytes and cuts it into the longest pieces that the vocabulary has
/// (WordPiece).
///
/// Wu et al. 2016, "Google's Neural Machine Translation System"; Hugging Face `tokenizers`,
/// models/wordpiece.
struct WordPieceEncoder: WordSink {
    private let vocabulary: Vocabulary.Table
    private let wordPieceCount: Int32
    private let continuingPrefix: UnsafeBufferPointer<UInt8>
    private let continuingSeed: UInt64
    private let unknownID: Int32
    private let maximumWordScalarCount: Int
    private let recordsOffsets: Bool

    /// The word so far; it stops growing beyond the limit, when it can only be unknown.
    private var bytes: UnsafeMutableBufferPointer<UInt8>
    /// For each of `bytes`, where its scalar stood in the source.
    private var sources: UnsafeMutableBufferPointer<Range<Int>>
    /// For each of `bytes`, the hash of the piece up to and with it.
    private var hashes: UnsafeMutableBufferPointer<UInt64>
    private var byteCount = 0
    private var scalarCount = 0
    private var end = 0

    private(set) var ids: [Int32] = []
    private(set) var offsets: [Range<Int>] = []
    /// All tokens seen; more than `ids` has when `storageLimit` was reached.
    private(set) var tokenCount = 0
    private let storageLimit: Int

    /// - Parameter storageLimit: tokens after this many are counted, not stored.
    init(
        _ vocabulary: Vocabulary.Table, wordPieceCount: Int,
        continuingPrefix: UnsafeBufferPointer<UInt8>, unknownID: Int32,
        maximumWordScalarCount: Int, recordsOffsets: Bool, storageLimit: Int
    ) {
        self.vocabulary = vocabulary
        self.wordPieceCount = Int32(wordPieceCount)
        self.continuingPrefix = continuingPrefix
        self.continuingSeed = continuingPrefix.reduce(FNV.seed, FNV.combine)
        self.unknownID = unknownID
        self.maximumWordScalarCount = maximumWordScalarCount
        self.recordsOffsets = recordsOffsets
        self.storageLimit = storageLimit
        let capacity = 4 * maximumWordScalarCount
        bytes = .allocate(capacity: capacity)
        sources = .allocate(capacity: capacity)
        hashes = .allocate(capacity: capacity)
    }

    func deallocate() {
        bytes.deallocate()
        sources.deallocate()
        hashes.deallocate()
    }

    @inline(__always)
    mutating func append(_ scalar: UInt32, from source: Range<Int>) {
        if scalar < 0x80 {
            append(ascii: UInt8(truncatingIfNeeded: scalar), from: source)
        } else {
            appendMultibyte(scalar, from: source)
        }
    }

    @inline(__always)
    mutating func append(ascii byte: UInt8, from source: Range<Int>) {
        scalarCount += 1
        end = source.upperBound
        guard scalarCount <= maximumWordScalarCount else { return }
        bytes[byteCount] = byte
        sources[byteCount] = source
        byteCount += 1
    }

    private mutating func appendMultibyte(_ scalar: UInt32, from source: Range<Int>) {
        scalarCount += 1
        end = source.upperBound
        guard scalarCount <= maximumWordScalarCount else { return }
        // Tables and decoding give scalars only, never surrogates.
        for byte in UTF8.encode(Unicode.Scalar(scalar).unsafelyUnwrapped).unsafelyUnwrapped {
            bytes[byteCount] = byte
            sources[byteCount] = source
            byteCount += 1
        }
    }

    @inline(__always)
    mutating func endWord() {
        if scalarCount > 0 { cutWord() }
    }

    /// A token of its own, found by other means.
    mutating func append(tokenID: Int32, from source: Range<Int>) {
        tokenCount += 1
        guard ids.count < storageLimit else { return }
        ids.append(tokenID)
        if recordsOffsets { offsets.append(source) }
    }

    private mutating func cutWord() {
        defer {
            byteCount = 0
            scalarCount = 0
        }
        let wordStart = sources[0].lowerBound
        guard scalarCount <= maximumWordScalarCount else {
            append(tokenID: unknownID, from: wordStart..<end)
            return
        }
        let before = (ids: ids.count, offsets: offsets.count, tokens: tokenCount)
        var start = 0
        while start < byteCount {
            guard let piece = longestPiece(from: start) else {
                ids.removeSubrange(before.ids...)
                offsets.removeSubrange(before.offsets...)
                tokenCount = before.tokens
                append(tokenID: unknownID, from: wordStart..<end)
                return
            }
            let last = sources[piece.end - 1]
            append(tokenID: piece.id, from: sources[start].lowerBound..<last.upperBound)
            start = piece.end
        }
    }

    private mutating func longestPiece(from start: Int) -> (id: Int32, end: Int)? {
        let isContinuing = start > 0
        var hash = isContinuing ? continuingSeed : FNV.seed
        for i in start..<byteCount {
            hash = FNV.combine(hash, bytes[i])
            hashes[i] = hash
        }
        let prefix = isContinuing ? continuingPrefix : UnsafeBufferPointer(start: nil, count: 0)
        var end = byteCount
        while end > start {
            // Only between scalars: a byte of the form 10xxxxxx continues one.
            if end == byteCount || bytes[end] & 0xC0 != 0x80 {
                let key = UnsafeBufferPointer(rebasing: bytes[start..<end])
                if let id = vocabulary.id(prefix: prefix, key: key, hash: hashes[end - 1]),
                    id < wordPieceCount
                {
                    return (id, end)
                }
            }
            end -= 1
        }
        return nil
    }
}
