/// What is wrong in a library.
public struct VerificationReport: Sendable, Equatable {
    public var chunkCount = 0
    /// What SQLite says of a damaged file; empty when it is sound.
    public var damage: [String] = []
    /// Chunks that are marked complete and have no vector, or one of a wrong length.
    public var missingCount = 0
    /// Chunks with a vector of another model.
    public var staleCount = 0
    /// Vectors that are not finite, or not of unit length.
    public var invalidCount = 0
    /// Chunks, tasks and vectors of what is not there any more.
    public var orphanedCount = 0
    /// Chunks whose text is not the one that was embedded.
    public var editedCount = 0
    /// Materials that were queued to be embedded anew.
    public var requeuedMaterialCount = 0

    public var isSound: Bool {
        damage.isEmpty
            && missingCount + staleCount + invalidCount + orphanedCount + editedCount == 0
    }
}
