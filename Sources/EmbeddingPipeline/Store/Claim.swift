import Foundation

/// Chunks that one worker has in work. Its id is the fencing token: what was taken over by another
/// has another claim, and a late result changes nothing.
struct Claim: Sendable {
    var id: Int64
    var chunks: [ClaimedChunk]
}

/// A chunk as the work needs it.
struct ClaimedChunk: Sendable {
    var id: Int64
    var materialID: Int64
    var text: String
    var textHash: Data
    /// As counted when it was cut.
    var tokenCount: Int
}

/// What became of a chunk in work.
enum ChunkOutcome: Sendable, Equatable {
    /// `[D]`
    case vector([Float])
    case failure(String)
    /// Not tried after all.
    case released
}

/// What a transaction did with the chunks that it was given.
struct ChunkTally: Sendable, Equatable {
    /// Computed and stored.
    var completedCount = 0
    /// Got the vector of an equal text.
    var reusedCount = 0
    var failedCount = 0
    /// Edited, deleted or taken over meanwhile.
    var supersededCount = 0

    static func += (left: inout ChunkTally, right: ChunkTally) {
        left.completedCount += right.completedCount
        left.reusedCount += right.reusedCount
        left.failedCount += right.failedCount
        left.supersededCount += right.supersededCount
    }
}

/// When a chunk that ends the process is given up.
enum PoisonPolicy {
    /// A first try and five more.
    static let attemptLimit = 6

    static let reason =
        "the process ended \(attemptLimit) times or more while this chunk was in work"

    /// How many chunks go together that were in work when a process ended: half as many after each
    /// time, until the one that does it is alone.
    static func groupSize(batchSize: Int, interruptions: Int) -> Int {
        max(1, batchSize >> min(interruptions, 30))
    }
}
