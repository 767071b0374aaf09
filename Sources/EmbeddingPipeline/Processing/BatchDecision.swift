/// Chooses between all at once and batches, and the size of these, from the state of memory.
public enum BatchDecision {
    /// What a chunk takes while it is in work, conservatively, in bytes.
    package static let byteCountPerChunk = 2 << 20
    static let sizeRange = 5...100
    /// So many chunks go in batches, however much memory is free.
    static let manyChunks = 50
    /// The share of memory in use over which caches are given back before a batch.
    static let releaseShare = 0.85

    /// Half of what is available, at 2 MiB a chunk, within 5 and 100 chunks.
    public static func automaticSize(_ memory: MemoryState) -> Int {
        let size = memory.available / 2 / byteCountPerChunk
        return min(max(size, sizeRange.lowerBound), sizeRange.upperBound)
    }

    /// How chunks are worked on.
    public enum Mode: String, Sendable {
        case inBatches = "batches"
        case immediately
    }

    /// In batches when memory use is over the threshold or there are many chunks.
    public static func mode(
        chunkCount: Int, _ memory: MemoryState, threshold: Double
    ) -> Mode {
        memory.usedShare > threshold || chunkCount >= manyChunks ? .inBatches : .immediately
    }

    /// Whether caches are given back before the next batch.
    public static func releasesMemory(_ memory: MemoryState) -> Bool {
        memory.usedShare > releaseShare
    }
}
