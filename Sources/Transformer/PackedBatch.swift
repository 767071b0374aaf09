/// Token ids of several sequences, one after another: no mask, and no padding unless sequences are
/// aligned.
public struct PackedBatch: Sendable, Equatable {
    /// `[T]`; what stands between aligned sequences is 0.
    public private(set) var tokenIDs: [Int32] = []
    /// `[N]`: where each sequence stands in ``tokenIDs``.
    public private(set) var sequences: [Range<Int>] = []
    public private(set) var longestSequence = 0
    /// Sequences start at multiples of so many tokens, and T is one.
    public let alignment: Int

    /// - Parameters:
    ///   - alignment: ``BertEncoder/measuredRowAlignment()``, so that a sequence's bits do not depend on
    ///     its neighbours.
    public init(alignment: Int = 1) { self.alignment = alignment }

    public var tokenCount: Int { tokenIDs.count }
    public var sequenceCount: Int { sequences.count }

    public mutating func append(_ sequence: some Collection<Int32>) {
        let start = tokenIDs.count
        tokenIDs.append(contentsOf: sequence)
        sequences.append(start..<tokenIDs.count)
        longestSequence = max(longestSequence, sequence.count)
        let padded = Self.aligned(tokenIDs.count, alignment)
        tokenIDs.append(contentsOf: repeatElement(0, count: padded - tokenIDs.count))
    }

    /// The tokens that a sequence takes with what follows it.
    public static func aligned(_ count: Int, _ alignment: Int) -> Int {
        (count + alignment - 1) / alignment * alignment
    }
}
