import GRDB
import TextExtraction

/// Brings a subject's materials in line with a folder: what is new is added, what has changed by its
/// content is read anew, what is gone is dropped, what was only moved keeps its vectors.
public struct FolderSync: Sendable {
    /// Nil where there is none yet.
    private let library: Library?
    private let extractor: TextExtractor
    /// Nil for an extractor of the process's own.
    private let processor: MaterialProcessor?

    /// To plan only: nothing is read but what tells whether a file has changed.
    ///
    /// - Parameter library: nil where there is none yet.
    public init(planning library: Library?, extractor: TextExtractor = TextExtractor()) {
        self.library = library
        self.extractor = extractor
        processor = nil
    }

    public init(_ library: Library, _ processor: MaterialProcessor) {
        self.library = library
        self.processor = processor
        extractor = processor.extractor
    }

    /// A file of the folder.
    public struct File: Sendable, Equatable {
        /// Absolute.
        public var path: String
        /// Its path seen from the folder.
        public var title: String

        public init(path: String, title: String) {
            self.path = path
            self.title = title
        }
    }

    /// What the folder holds now.
    public struct Listing: Sendable {
        public var files: [File]
        /// The folder, absolute.
        public var folder: String
        /// What could not be looked at: neither it nor what was in it is gone.
        public var unlisted: [String] = []
        /// Paths that are looked at, with what is below them; nil: all.
        public var scope: Set<String>?

        public init(folder: String, files: [File]) {
            self.folder = folder
            self.files = files
        }

        public func isInScope(_ path: String) -> Bool {
            guard let scope else { return true }
            return scope.contains { Self.isWithin($0, path) }
        }

        /// Whether a file that is not listed is gone, as far as can be known.
        func tellsOf(_ path: String) -> Bool {
            Self.isWithin(folder, path) && !unlisted.contains { Self.isWithin($0, path) }
        }

        private static func isWithin(_ folder: String, _ path: String) -> Bool {
            path == folder || path.hasPrefix(folder == "/" ? "/" : folder + "/")
        }
    }

    public enum Action: Sendable, Equatable {
        case add
        /// Its content is another, or it is to be cut otherwise.
        case update(materialID: Int64)
        case move(materialID: Int64, from: String)
        case remove(materialID: Int64)
        case unchanged(materialID: Int64)
        /// Unchanged since no text could be taken from it.
        case failedBefore(materialID: Int64, reason: String)
        /// No document: a picture, a program, nothing.
        case passOver(reason: String)

        public var name: String {
            switch self {
            case .add: "add"
            case .update: "update"
            case .move: "move"
            case .remove: "remove"
            case .unchanged: "unchanged"
            case .failedBefore: "failed"
            case .passOver: "pass over"
            }
        }
    }

    public struct Step: Sendable, Equatable {
        public var file: File
        public var action: Action
    }

    /// What is to be done, in the order of the paths; removals last.
    ///
    /// - Parameter subjectID: nil for a subject that is still to be made.
    /// - Throws: `PipelineError`; `stopped`.
    public func plan(
        _ listing: Listing, subjectID: Int64?
    ) throws(PipelineError) -> [Step] {
        var known: [String: Material] = [:]
        var options = ChunkOptions.standard
        if let library, let subjectID {
            options = try library.subject(id: subjectID).chunkOptions
            for material in try library.materials(subjectID: subjectID) {
                guard let path = material.sourcePath, listing.tellsOf(path) else { continue }
                known[path] = material
            }
        }
        let present = Set(listing.files.map(\.path))
        var gone = known.filter { !present.contains($0.key) && listing.isInScope($0.key) }
        var steps: [Step] = []
        for file in listing.files where listing.isInScope(file.path) {
            if extractor.limits.isStopRequested() { throw .stopped }
            let action = action(file, known[file.path], options, &gone)
            steps.append(Step(file: file, action: action))
        }
        for (path, material) in gone.sorted(by: { $0.key < $1.key }) {
            steps.append(
                Step(
                    file: File(path: path, title: material.title),
                    action: .remove(materialID: material.id ?? 0)))
        }
        return steps
    }

    private func action(
        _ file: File, _ known: Material?, _ options: ChunkOptions, _ gone: inout [String: Material]
    ) -> Action {
        do throws(ExtractionError) {
            let source = try SourceFile(
                path: file.path, maximumByteCount: extractor.limits.fileByteCount)
            if known == nil {
                guard source.byteCount > 0 else { throw .empty }
                _ = try extractor.mediaType(of: source, name: file.path)
            }
            let digest = try FileDigest.sha256(source)
            if let known {
                let id = known.id ?? 0
                if known.isUpToDate(digest, processor?.chunking(options)) {
                    return .unchanged(materialID: id)
                }
                if known.failedHash == digest, let reason = known.lastError {
                    return .failedBefore(materialID: id, reason: reason)
                }
                return .update(materialID: id)
            }
            let moved = gone.first { _, material in
                material.contentHash == digest && material.hasText
                    && FileName.suffix(material.sourcePath ?? "") == FileName.suffix(file.path)
            }
            if let moved {
                gone[moved.key] = nil
                return .move(materialID: moved.value.id ?? 0, from: moved.key)
            }
            return .add
        } catch {
            if let known { return .update(materialID: known.id ?? 0) }
            return error.isRecorded(isNamed: false)
                ? .add : .passOver(reason: error.description)
        }
    }

    /// What a step came to.
    public enum Result: Sendable, Equatable {
        case done(ChunkChanges)
        case failed(reason: String)
    }

    /// Does a step.
    ///
    /// - Parameter queuesEmbeddings: whether tasks for new chunks are queued for workers.
    /// - Throws: `PipelineError`.
    public func perform(
        _ step: Step, subjectID: Int64, queuesEmbeddings: Bool
    ) throws(PipelineError) -> Result {
        guard let library, let processor else { preconditionFailure("made to plan only") }
        switch step.action {
        case .unchanged, .passOver: return .done(ChunkChanges())
        case .failedBefore(_, let reason): return .failed(reason: reason)
        case .move(let id, _):
            try library.moveMaterial(id: id, to: step.file.path, title: step.file.title)
            return .done(ChunkChanges())
        case .remove(let id):
            var changes = ChunkChanges()
            changes.removedCount = try library.chunkCount(materialID: id)
            // Someone else may have removed it since.
            do { try library.removeMaterial(id: id) } catch {
                guard case .noSuchMaterial = error else { throw error }
            }
            return .done(changes)
        case .add, .update:
            let addition = try processor.add(
                path: step.file.path, title: step.file.title, subjectID: subjectID,
                recordsFailure: false, retries: false, queuesEmbeddings: queuesEmbeddings)
            switch addition.outcome {
            case .unchanged: return .done(ChunkChanges())
            case .extracted(let changes): return .done(changes)
            case .failed(let error): return .failed(reason: error.description)
            case .failedBefore(let reason): return .failed(reason: reason)
            }
        }
    }
}

extension Library {
    /// Lets a material name another file of the same content.
    ///
    /// - Throws: `PipelineError.noSuchMaterial`.
    public func moveMaterial(
        id: Int64, to path: String, title: String
    ) throws(PipelineError) {
        try write { db in
            try db.execute(
                sql: """
                    UPDATE materials SET source_path = ?, title = ?, updated_at = ? WHERE id = ?
                    """, arguments: [path, title, clock.now, id])
            if db.changesCount == 0 { throw PipelineError.noSuchMaterial(id) }
        }
    }

    func chunkCount(materialID: Int64) throws(PipelineError) -> Int {
        try read { db in
            try Int.fetchOne(
                db, sql: "SELECT count(*) FROM content_chunks WHERE material_id = ?",
                arguments: [materialID]) ?? 0
        }
    }
}
