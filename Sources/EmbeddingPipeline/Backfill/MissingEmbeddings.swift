import EmbeddingEngine
import GRDB
import TextExtraction

/// Makes every embedding that is missing.
public struct MissingEmbeddings: Sendable {
    let library: Library
    let processor: ContentProcessor
    let materials: MaterialProcessor

    public init(_ processor: ContentProcessor, _ materials: MaterialProcessor) {
        library = processor.library
        self.processor = processor
        self.materials = materials
    }

    /// What a run would do.
    public struct Plan: Sendable, Equatable {
        public var need: ChunkNeed
        /// What is computed for it: equal texts once, and none that has a vector already.
        public var texts: TextNeed
        /// Materials whose text is to be taken first; their chunks are not known yet.
        public var unreadMaterialCount: Int
    }

    public struct Report: Sendable, Equatable {
        public var extractedMaterialCount = 0
        public var failedMaterials: [MaterialFailure] = []
        public var processing = ProcessingReport()
        /// What is left in need of the selection: failed, set aside, or in others' work.
        public var left = ChunkNeed()
        /// Chunks that were given up, in this run or before; only the filter `failed` tries them.
        public var setAsideCount = 0

        public struct MaterialFailure: Sendable, Equatable {
            public var materialID: Int64
            public var reason: String
        }
    }

    /// Says what a run would do, and changes nothing.
    public static func plan(
        _ library: Library, _ selection: ChunkSelection, _ model: ModelIdentity
    ) throws(PipelineError) -> Plan {
        try library.checkExists(selection.target)
        return Plan(
            need: try library.need(selection, model),
            texts: try library.textNeed(selection, model),
            unreadMaterialCount: try library.unreadMaterials(selection).count)
    }

    /// Takes the texts of materials that were not read yet, then embeds what is in need.
    public func run(
        _ selection: ChunkSelection, _ options: ContentProcessor.Options,
        isStopRequested: @escaping @Sendable () -> Bool,
        onMaterial: (_ done: Int, _ total: Int) -> Void = { _, _ in },
        onProgress: @escaping ContentProcessor.ProgressObserver
    ) throws(PipelineError) -> Report {
        try library.checkExists(selection.target)
        try library.beginGeneration(processor.embedder.model)
        var report = Report()
        let unread = try library.unreadMaterials(selection)
        for (index, id) in unread.enumerated() {
            if isStopRequested() { break }
            onMaterial(index, unread.count)
            switch try materials.extract(materialID: id, retries: selection.filter == .failed) {
            case .failed(let error):
                report.failedMaterials.append(.init(materialID: id, reason: error.description))
            case .failedBefore(let reason):
                report.failedMaterials.append(.init(materialID: id, reason: reason))
            case .extracted, .unchanged: report.extractedMaterialCount += 1
            }
        }
        if !unread.isEmpty { onMaterial(unread.count, unread.count) }
        report.processing = try processor.processChunks(
            selection, options, isStopRequested: isStopRequested, onProgress: onProgress)
        report.left = try library.need(selection, processor.embedder.model)
        report.setAsideCount = try library.setAsideCount(selection.target)
        return report
    }
}

extension Library {
    /// Materials of a selection whose text was not taken, or could not be.
    func unreadMaterials(_ selection: ChunkSelection) throws(PipelineError) -> [Int64] {
        let status =
            switch selection.filter {
            case .any, .missing: "processing_status IN ('pending', 'failed')"
            case .pending: "processing_status = 'pending'"
            case .failed: "processing_status = 'failed'"
            }
        let (scope, arguments): (String, StatementArguments) =
            switch selection.target {
            case .all: ("TRUE", StatementArguments())
            case .subject(let id): ("subject_id = ?", [id])
            case .material(let id): ("id = ?", [id])
            case .chunk: ("FALSE", StatementArguments())
            }
        return try read { db in
            try Int64.fetchAll(
                db,
                sql: """
                    SELECT id FROM materials AS material
                    WHERE \(scope) AND \(status) AND source_path IS NOT NULL AND NOT EXISTS (
                        SELECT 1 FROM content_chunks WHERE material_id = material.id)
                    ORDER BY id
                    """, arguments: arguments)
        }
    }
}
