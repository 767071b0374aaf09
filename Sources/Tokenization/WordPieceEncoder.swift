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
        scalarCount += 1
        end = source.upperBound
        guard scalarCount <= maximumWordScalarCount else { return }
        if scalar < 0x80 {
            append(UInt8(truncatingIfNeeded: scalar), source)
        } else {
            // Tables and decoding give scalars only, never surrogates.
            let encoded = UTF8.encode(Unicode.Scalar(scalar).unsafelyUnwrapped)
            for byte in encoded.unsafelyUnwrapped { append(byte, source) }
        }
    }

    @inline(__always)
    private mutating func append(_ byte: UInt8, _ source: Range<Int>) {
        bytes[byteCount] = byte
        sources[byteCount] = source
        byteCount += 1
    }

    /// Adds ASCII bytes that stand in the source as they are, from `start`, each replaced by its entry of
    /// `replacements`.
    @inline(__always)
    mutating func append(
        ascii run: UnsafeBufferPointer<UInt8>, at start: Int,
        replacements: UnsafeBufferPointer<UInt8>
    ) {
        let count = min(run.count, maximumWordScalarCount - scalarCount)
        scalarCount += run.count
        end = start + run.count
        guard count > 0 else { return }
        for i in 0..<count { bytes[byteCount + i] = replacements[Int(run[i])] }
        if recordsOffsets {
            for i in 0..<count { sources[byteCount + i] = start + i..<start + i + 1 }
        }
        byteCount += count
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
        let wordStart = recordsOffsets ? sources[0].lowerBound : end
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
            let source =
                recordsOffsets
                ? sources[start].lowerBound..<sources[piece.end - 1].upperBound : 0..<0
            append(tokenID: piece.id, from: source)
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
