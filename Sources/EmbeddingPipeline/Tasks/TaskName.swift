import GRDB

/// What can be queued. The names are the interface.
public enum TaskName: String, Sendable, CaseIterable, DatabaseValueConvertible {
    /// A material: its text taken, cut into chunks, embedded. The argument is the material's id.
    case processMaterial = "process_material"
    /// Every material of a subject with chunks in need. The argument is the subject's id.
    case processSubjectEmbeddings = "process_subject_embeddings"
    /// Every chunk in need of a material.
    case processMaterialEmbeddings = "process_material_embeddings"
    /// One chunk. The argument is the chunk's id.
    case generateChunkEmbedding = "generate_chunk_embedding"
    /// A material's failed chunks back to pending, then the material.
    case updateExistingMaterialEmbeddings = "update_existing_material_embeddings"

    /// When a task that failed is tried again.
    public var retrySchedule: RetrySchedule {
        switch self {
        case .processMaterial, .processSubjectEmbeddings:
            RetrySchedule(retryCount: 3, firstDelay: .seconds(60))
        case .processMaterialEmbeddings, .updateExistingMaterialEmbeddings:
            RetrySchedule(retryCount: 3, firstDelay: .seconds(30))
        case .generateChunkEmbedding:
            RetrySchedule(retryCount: 5, firstDelay: .seconds(10))
        }
    }

    /// The share of memory in use over which a task works in batches, or, with one chunk, waits.
    public var memoryThreshold: Double {
        switch self {
        case .processMaterial: 0.7
        case .generateChunkEmbedding: 0.9
        default: ContentProcessor.Options().memoryThreshold
        }
    }
}
