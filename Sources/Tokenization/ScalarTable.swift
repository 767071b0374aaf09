/// What normalization and pre-tokenization make of every Unicode scalar, composed for one choice of
/// options.
///
/// The steps (clean, set ideographs apart, decompose, drop marks, lower-case) act on one scalar at
/// a time, but for the canonical ordering of combining marks. So their composition is a table, and
/// text needs one pass.
struct ScalarTable: Sendable {
    /// A scalar's fate. The lower 21 bits are its replacement, 0 for itself.
    struct Entry: Equatable, Sendable {
        var bits: UInt32

        static let identity = Entry(bits: 0)
        /// Vanishes before decomposition: as if it were not in the text.
        static let removed = Entry(bits: 1 << 21)
        /// A mark dropped after decomposition.
        static let dropped: UInt32 = 1 << 22
        static let whitespace: UInt32 = 1 << 23
        static let punctuation: UInt32 = 1 << 24
        /// An ideograph: a word of its own.
        static let isolated: UInt32 = 1 << 25
        /// Has a combining class other than 0, see ``ScalarTable/combiningClass(_:)``.
        static let combining: UInt32 = 1 << 26
        /// The lower 21 bits are an index of `sequences`.
        static let sequence: UInt32 = 1 << 27
        static let hangul: UInt32 = 1 << 28
        static let payloadMask: UInt32 = 1 << 21 - 1

        @inline(__always) var payload: UInt32 { bits & Self.payloadMask }
        @inline(__always) func has(_ flag: UInt32) -> Bool { bits & flag != 0 }
        /// Whether the scalar is part of a word, as itself or as one other scalar.
        @inline(__always) var isPlain: Bool { bits <= Self.payloadMask }
    }

    /// The page of each 256 scalars. Those that are alike in all of them share one.
    private var pageNumbers: [UInt16]
    private var entries: [Entry]
    /// The pages that are all of one entry, by its bits, and whether a page is one of them.
    private var uniformPages: [UInt32: UInt16] = [Entry.identity.bits: 0]
    private var isUniform = [true]
    /// For each sequence its length, then an entry a scalar, each with its replacement filled in.
    private(set) var sequences: [Entry] = []
    private var combiningClasses: [UInt32: UInt8] = [:]

    @inline(__always)
    subscript(scalar: UInt32) -> Entry {
        entries[Int(pageNumbers[Int(scalar >> 8)]) << 8 | Int(scalar & 0xFF)]
    }

    /// The canonical combining class of a scalar after normalization.
    func combiningClass(_ scalar: UInt32) -> UInt8 { combiningClasses[scalar] ?? 0 }

    init(_ steps: NormalizationSteps) {
        pageNumbers = Array(repeating: 0, count: 0x110000 >> 8)
        entries = Array(repeating: .identity, count: 256)
        if steps.handleChineseCharacters {
            set(UnicodeTables.ideographs, Entry(bits: Entry.isolated))
        }
        if steps.stripAccents { set([0xAC00, 0xD7A3], Entry(bits: Entry.hangul)) }
        if steps.cleanText { set(UnicodeTables.removed, .removed) }
        let sets = NormalizationSets()
        for scalar in sets.unusualScalars where !sets.isRemoved(scalar, steps) {
            let fate = sets.fate(of: scalar, steps)
            set([scalar, scalar], entry(fate, for: scalar))
        }
        if steps.stripAccents { combiningClasses = sets.loweredCombiningClasses(steps) }
    }

    /// Sets all scalars of `[first, last]` pairs.
    private mutating func set(_ pairs: [UInt32], _ entry: Entry) {
        for i in stride(from: 0, to: pairs.count, by: 2) {
            for page in Int(pairs[i] >> 8)...Int(pairs[i + 1] >> 8) {
                let low = max(Int(pairs[i]) - page << 8, 0)
                let high = min(Int(pairs[i + 1]) - page << 8, 0xFF)
                if low == 0, high == 0xFF, isUniform[Int(pageNumbers[page])] {
                    pageNumbers[page] = uniformPage(entry)
                    continue
                }
                if isUniform[Int(pageNumbers[page])] {
                    pageNumbers[page] = newPage(entries[Int(pageNumbers[page]) << 8], false)
                }
                let start = Int(pageNumbers[page]) << 8
                for j in start + low...start + high { entries[j] = entry }
            }
        }
    }

    private mutating func uniformPage(_ entry: Entry) -> UInt16 {
        if let page = uniformPages[entry.bits] { return page }
        let page = newPage(entry, true)
        uniformPages[entry.bits] = page
        return page
    }

    private mutating func newPage(_ entry: Entry, _ isUniform: Bool) -> UInt16 {
        defer {
            entries.append(contentsOf: repeatElement(entry, count: 256))
            self.isUniform.append(isUniform)
        }
        return UInt16(entries.count >> 8)
    }

    private mutating func entry(_ fate: NormalizationSets.Fate, for scalar: UInt32) -> Entry {
        let isolated = fate.isIsolated ? Entry.isolated : 0
        if fate.parts.count == 1 {
            let part = fate.parts[0]
            let replacement = part.scalar == scalar ? 0 : part.scalar
            return Entry(bits: replacement | part.flags | isolated)
        }
        let index = UInt32(sequences.count)
        sequences.append(Entry(bits: UInt32(fate.parts.count)))
        sequences.append(contentsOf: fate.parts.map { Entry(bits: $0.scalar | $0.flags) })
        return Entry(bits: index | Entry.sequence | isolated)
    }
}
