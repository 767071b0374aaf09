/// A tokenized text: what the model gets, and where it came from.
public struct Encoding: Sendable, Equatable {
    /// Token ids, special tokens included.
    public var ids: [Int32]
    /// Where each token came from in the text's UTF-8 bytes; empty at 0 for the special tokens
    /// around the text.
    public var offsets: [Range<Int>]
    /// How many tokens truncation took away.
    public var droppedTokenCount: Int

    public init(ids: [Int32], offsets: [Range<Int>], droppedTokenCount: Int) {
        self.ids = ids
        self.offsets = offsets
        self.droppedTokenCount = droppedTokenCount
    }
}

/// What is kept of a text that is longer than the model's window.
public struct Truncation: Sendable, Equatable {
    public enum Direction: String, Sendable, CaseIterable {
        /// Drops tokens at the end.
        case right
        /// Drops tokens at the start.
        case left
    }

    /// The most tokens an encoding may have, special tokens included; at least 2.
    public var maximumTokenCount: Int
    public var direction: Direction

    public init(maximumTokenCount: Int, direction: Direction = .right) {
        precondition(maximumTokenCount >= 2, "the special tokens alone are 2")
        self.maximumTokenCount = maximumTokenCount
        self.direction = direction
    }
}
