import EmbeddingEngine
import GRDB
import TextExtraction

/// Does what a task says.
public struct TaskRunner: Sendable {
    let library: Library
    let processor: ContentProcessor
    let materials: MaterialProcessor
    /// Whether a task whose chunks others have in work waits for them; otherwise it is queued again
    /// and makes room for the next.
    var waitsForOthers = true

    public init(_ processor: ContentProcessor, _ materials: MaterialProcessor) {
        library = processor.library
        self.processor = processor
        self.materials = materials
    }

    /// Runs a task.
    ///
    /// - Returns: how it ended. What goes wrong with the task is part of that.
    /// - Throws: `PipelineError`: no task can be run, now or at all.
    public func run(
        _ lease: TaskLease, isStopRequested: @escaping @Sendable () -> Bool
    ) throws(PipelineError) -> Library.TaskEnd {
        do throws(PipelineError) {
            return try perform(lease, isStopRequested)
        } catch {
            if error.concernsAllWork { throw error }
            if error == .stopped { return .stopped }
            return .failed(error.description, isPassing: error.isPassing)
        }
    }

    private func perform(
        _ lease: TaskLease, _ isStopRequested: @escaping @Sendable () -> Bool
    ) throws(PipelineError) -> Library.TaskEnd {
        let id = lease.argument
        func embed(_ target: ChunkSelection.Target) throws(PipelineError) -> Library.TaskEnd {
            var options = ContentProcessor.Options()
            options.memoryThreshold = lease.name.memoryThreshold
            // The task is done when its chunks are, whoever does them.
            options.waitsForOthers = waitsForOthers
            if lease.name == .processMaterialEmbeddings { options.batchSize = Self.batchSize }
            let report = try processor.processChunks(
                ChunkSelection(target), options, lease: lease, isStopRequested: isStopRequested)
            return Self.end(report)
        }
        switch lease.name {
        case .processMaterial:
            switch try materials.extract(materialID: id, retries: true, lease: lease) {
            case .failed(let error):
                return .failed(error.description, isPassing: error.isPassing)
            case .failedBefore(let reason): return .failed(reason, isPassing: false)
            case .extracted, .unchanged: break
            }
            return try embed(.material(id))
        case .processSubjectEmbeddings:
            try enqueueMaterials(subjectID: id)
            return .succeeded
        case .processMaterialEmbeddings:
            _ = try library.material(id: id)
            return try embed(.material(id))
        case .generateChunkEmbedding:
            _ = try library.chunk(id: id)
            let used = processor.memory.state()
            guard used.usedShare <= lease.name.memoryThreshold else {
                return .failed("memory is full: \(used.percentage)", isPassing: true)
            }
            return try embed(.chunk(id))
        case .updateExistingMaterialEmbeddings:
            _ = try library.material(id: id)
            try library.resetFailedChunks(.material(id))
            return try embed(.material(id))
        }
    }

    /// Chunks of a material that are in work at once.
    static let batchSize = 10

    private func enqueueMaterials(subjectID: Int64) throws(PipelineError) {
        _ = try library.subject(id: subjectID)
        let selection = ChunkSelection(.subject(subjectID))
        try library.write { db in
            let (scope, scopeArguments) = Library.scope(selection.target)
            let arguments =
                scopeArguments
                + StatementArguments(ChunkSelection.arguments(processor.embedder.model))
            let inNeed = try Int64.fetchAll(
                db,
                sql: """
                    SELECT DISTINCT material_id FROM content_chunks
                    WHERE \(scope) AND \(selection.condition)
                    """, arguments: arguments)
            for id in inNeed { try library.enqueue(db, .processMaterialEmbeddings, id) }
            let unread = try Int64.fetchAll(
                db,
                sql: """
                    SELECT id FROM materials
                    WHERE subject_id = ? AND processing_status = 'pending'
                    """, arguments: [subjectID])
            for id in unread { try library.enqueue(db, .processMaterial, id) }
        }
    }

    private static func end(_ report: ProcessingReport) -> Library.TaskEnd {
        if report.isStopped { return .stopped }
        guard let first = report.failures.first else {
            return report.elsewhereCount > 0 ? .waiting : .succeeded
        }
        let count = report.failures.count
        return .failed(
            "\(count) \(count == 1 ? "chunk" : "chunks") failed; chunk \(first.chunkID): \(first.reason)",
            isPassing: report.failures.contains(where: \.isPassing))
    }
}

extension ExtractionError {
    /// Whether the file may be readable later.
    var isPassing: Bool {
        switch self {
        case .notFound, .permissionDenied, .changedWhileRead, .unreadable, .missingTool,
            .stopped:
            true
        default: false
        }
    }
}
