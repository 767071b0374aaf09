/// Tokens in the order of their ids, as UTF-8 bytes in one piece.
public struct TokenList: Sendable, Equatable {
    public private(set) var bytes: [UInt8]
    /// Where each token ends in `bytes`; never descending.
    public private(set) var ends: [Int32]

    public init() {
        bytes = []
        ends = []
    }

    public init(_ tokens: some Sequence<some Collection<UInt8>>) {
        self.init()
        for token in tokens { append(token) }
    }

    /// A list in the form it has in a model file; nil when the ends are not ascending or do not fit
    /// the bytes.
    public init?(bytes: UnsafeBufferPointer<UInt8>, ends: UnsafeBufferPointer<Int32>) {
        var previous: Int32 = 0
        for end in ends {
            guard end >= previous else { return nil }
            previous = end
        }
        guard Int(previous) == bytes.count else { return nil }
        self.bytes = Array(bytes)
        self.ends = Array(ends)
    }

    /// - Precondition: the list stays under 2 GiB.
    public mutating func append(_ token: some Collection<UInt8>) {
        bytes.append(contentsOf: token)
        ends.append(Int32(bytes.count))
    }

    public var count: Int { ends.count }

    public subscript(id: Int) -> ArraySlice<UInt8> { bytes[range(id)] }

    @inline(__always)
    func range(_ id: Int) -> Range<Int> { (id == 0 ? 0 : Int(ends[id - 1]))..<Int(ends[id]) }
}
