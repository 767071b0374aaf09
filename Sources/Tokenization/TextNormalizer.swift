/// Runs text through a ``ScalarTable`` and hands words, scalar by scalar, to a ``WordSink``.
///
/// `BertNormalizer` and `BertPreTokenizer` in one pass. Canonical ordering (Unicode 3.11, D108 and
/// D109) is all that looks beyond one scalar: combining marks wait until a starter comes.
struct TextNormalizer {
    private struct Mark {
        var scalar: UInt32
        /// Looked up only where there are several marks to order.
        var combiningClass: UInt8 = 0
        /// Taken away after its place in the order is known.
        var isDropped: Bool
        var isPunctuation: Bool
        /// Made by a decomposition, after its first scalar: it has no place of its own in the source.
        var isInserted: Bool
        var source: Range<Int>
    }

    private let table: ScalarTable
    private var pending: [Mark] = []

    init(_ table: ScalarTable) { self.table = table }

    /// Takes one scalar of the source, which stood at the bytes `source`.
    mutating func append(_ scalar: UInt32, at source: Range<Int>, to sink: inout some WordSink) {
        let entry = table[scalar]
        if entry.isPlain {
            startNewCluster(&sink)
            sink.append(entry.bits == 0 ? scalar : entry.bits, from: source)
            return
        }
        if entry == .removed { return }
        if entry.has(ScalarTable.Entry.isolated) {
            startNewCluster(&sink)
            sink.endWord()
        }
        if entry.has(ScalarTable.Entry.sequence) {
            let index = Int(entry.payload)
            let count = Int(table.sequences[index].bits)
            for i in index + 1...index + count {
                let part = table.sequences[i]
                append(part, part.payload, source, isInserted: i > index + 1, &sink)
            }
        } else if entry.has(ScalarTable.Entry.hangul) {
            startNewCluster(&sink)
            Self.decomposeHangul(scalar) { sink.append($0, from: source) }
        } else {
            let payload = entry.payload == 0 ? scalar : entry.payload
            append(entry, payload, source, isInserted: false, &sink)
        }
        if entry.has(ScalarTable.Entry.isolated) {
            startNewCluster(&sink)
            sink.endWord()
        }
    }

    /// Ends the text, or the part of it before an added token.
    mutating func finish(_ sink: inout some WordSink) {
        startNewCluster(&sink)
        sink.endWord()
    }

    private mutating func append(
        _ entry: ScalarTable.Entry, _ scalar: UInt32, _ source: Range<Int>, isInserted: Bool,
        _ sink: inout some WordSink
    ) {
        let isPunctuation = entry.has(ScalarTable.Entry.punctuation)
        if entry.has(ScalarTable.Entry.combining) {
            pending.append(
                Mark(
                    scalar: scalar, isDropped: entry.has(ScalarTable.Entry.dropped),
                    isPunctuation: isPunctuation, isInserted: isInserted, source: source))
            return
        }
        startNewCluster(&sink)
        if entry.has(ScalarTable.Entry.dropped) { return }
        if entry.has(ScalarTable.Entry.whitespace) {
            sink.endWord()
        } else {
            Self.emit(scalar, isPunctuation, source, &sink)
        }
    }

    /// Lets the marks go that waited for their order; a starter comes.
    @inline(__always)
    mutating func startNewCluster(_ sink: inout some WordSink) {
        if !pending.isEmpty { flushMarks(&sink) }
    }

    private mutating func flushMarks(_ sink: inout some WordSink) {
        if pending.count > 1 { orderMarks() }
        for mark in pending where !mark.isDropped {
            Self.emit(mark.scalar, mark.isPunctuation, mark.source, &sink)
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// Orders the marks, but not their sources: the first mark of the result gets the first place in the
    /// text, as in the reference, so that tokens never run backwards.
    ///
    /// A counting sort: stable, and linear for a text of nothing but marks.
    private mutating func orderMarks() {
        for i in pending.indices {
            pending[i].combiningClass = table.combiningClass(pending[i].scalar)
        }
        let isOrdered = zip(pending, pending.dropFirst())
            .allSatisfy { $0.combiningClass <= $1.combiningClass }
        if isOrdered { return }
        let places = pending.filter { !$0.isInserted }.map(\.source)
        var buckets = [[Mark]](repeating: [], count: 256)
        for mark in pending { buckets[Int(mark.combiningClass)].append(mark) }
        pending = Array(buckets.joined())
        var next = 0
        var last = pending.first { $0.isInserted }?.source ?? places[0]
        for i in pending.indices {
            if !pending[i].isInserted {
                last = places[next]
                next += 1
            }
            pending[i].source = last
        }
    }

    @inline(__always)
    private static func emit(
        _ scalar: UInt32, _ isPunctuation: Bool, _ source: Range<Int>, _ sink: inout some WordSink
    ) {
        if isPunctuation { sink.endWord() }
        sink.append(scalar, from: source)
        if isPunctuation { sink.endWord() }
    }

    /// The conjoining jamo of a Hangul syllable (Unicode 3.12).
    private static func decomposeHangul(_ syllable: UInt32, _ body: (UInt32) -> Void) {
        let index = syllable - 0xAC00
        body(0x1100 + index / 588)
        body(0x1161 + index % 588 / 28)
        if index % 28 != 0 { body(0x11A7 + index % 28) }
    }
}

/// Takes the scalars of words.
protocol WordSink {
    mutating func append(_ scalar: UInt32, from source: Range<Int>)
    /// The word ends, if there is one.
    mutating func endWord()
}
