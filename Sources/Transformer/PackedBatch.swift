/// Token ids of several sequences, one after another: no padding, no mask.
public struct PackedBatch: Sendable, Equatable {
    /// `[T]`
    public private(set) var tokenIDs: [Int32] = []
    /// `[N + 1]`: sequence `n` is `tokenIDs[sequenceOffsets[n]..<sequenceOffsets[n + 1]]`.
    public private(set) var sequenceOffsets: [Int] = [0]
    public private(set) var longestSequence = 0

    public init() {}

    public var tokenCount: Int { tokenIDs.count }
    public var sequenceCount: Int { sequenceOffsets.count - 1 }

    public mutating func append(_ sequence: some Collection<Int32>) {
        tokenIDs.append(contentsOf: sequence)
        sequenceOffsets.append(tokenIDs.count)
        longestSequence = max(longestSequence, sequence.count)
    }
}
