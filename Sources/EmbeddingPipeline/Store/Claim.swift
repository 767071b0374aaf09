import Foundation

/// Chunks that one worker has in work. Its id is the fencing token: what was taken over by another
/// has another claim, and a late result changes nothing.
package struct Claim: Sendable {
    package var id: Int64
    package var chunks: [ClaimedChunk]
}

/// A chunk as the work needs it.
package struct ClaimedChunk: Sendable {
    package var id: Int64
    package var materialID: Int64
    package var text: String
    package var textHash: Data
    /// As counted when it was cut.
    package var tokenCount: Int
}

/// What became of a chunk in work.
package enum ChunkOutcome: Sendable, Equatable {
    /// `[D]`
    case vector([Float])
    case failure(String)
    /// Not tried after all.
    case released
}

/// What a transaction did with the chunks that it was given.
package struct ChunkTally: Sendable, Equatable {
    /// Computed and stored.
    package var completedCount = 0
    /// Got the vector of an equal text.
    package var reusedCount = 0
    package var failedCount = 0
    /// Tokens of all chunks that are done, failed ones included.
    package var tokenCount = 0
    /// Of those: copies of a text that failed.
    package var failedTwinIDs: [Int64] = []
    /// Edited, deleted or taken over meanwhile.
    package var supersededCount = 0

    package init(completedCount: Int = 0, reusedCount: Int = 0, supersededCount: Int = 0) {
        self.completedCount = completedCount
        self.reusedCount = reusedCount
        self.supersededCount = supersededCount
    }
}

/// When a chunk that ends the process is given up.
package enum PoisonPolicy {
    /// A first try and five more.
    package static let attemptLimit = 6

    /// How often a process must have ended with a chunk alone before the chunk is given up. Where
    /// processes were ended by something else before, it takes more to be sure.
    ///
    /// - Parameters:
    ///   - refutedCount: how often such a chunk went well later.
    package static func limit(refutedCount: Int) -> Int { attemptLimit + min(refutedCount, 30) }

    package static let reason =
        "the process ended \(attemptLimit) times or more while this chunk was in work"

    /// How many chunks go together that were in work when a process ended: half as many after each
    /// time, until the one that does it is alone.
    package static func groupSize(batchSize: Int, interruptions: Int) -> Int {
        max(1, batchSize >> min(interruptions, 30))
    }
}
