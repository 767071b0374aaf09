import EmbeddingEngine

/// Everything that says where the server stands, read at one time.
struct ServerState {
    var requests: ServerStatistics.Snapshot
    var engine: EmbedderStatistics
    var activeRequestCount: Int
    var requestByteCount: Int
    var outputByteCount: Int
    var residentByteCount = ProcessMemory.resident
    var peakResidentByteCount = ProcessMemory.peakResident
    var memoryCeiling: Int
    var secondsPerToken: Double
}
