import ArgumentParser
import EmbeddingEngine
import EmbeddingPipeline
import Foundation
import JSON
import TextExtraction

struct MaterialSyncCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync",
        abstract: "Bring a subject in line with a folder: new, changed, moved and deleted files.",
        discussion: """
            Examples:
              minilm material sync ~/Lectures --subject physics --dry-run
              minilm material sync ~/Lectures --subject physics --create-subject --embed
              minilm material sync ~/Lectures --subject physics --embed --watch

            What is new is added; what has changed, by the hash of its content, is read
            anew; what is gone is removed; what was only moved keeps its vectors. Hidden
            files and links are passed over; what cannot be looked at is named, and its
            materials are kept. Materials from elsewhere are left alone.

            --dry-run says what would be done and changes nothing. --watch goes on
            following the folder until Ctrl-C. Exits with 1 when a file could not be read.
            """)

    @Argument(help: ArgumentHelp("The folder.", valueName: "folder")) var folder: String
    @Option(help: ArgumentHelp("The name or id of a subject.", valueName: "subject"))
    var subject: String
    @Flag(help: "Make the subject where there is none.") var createSubject = false
    @Flag(help: "Make the vectors at once; otherwise a worker makes them.") var embed = false
    @Flag(help: "Say what would be done; change nothing.") var dryRun = false
    @Flag(help: "Go on following the folder.") var watch = false
    @Flag(help: "Print a JSON object a step.") var json = false
    @Flag(name: [.short, .long], help: "No progress on stderr, and no line a step.") var quiet =
        false
    @OptionGroup var library: LibraryOptions
    @OptionGroup var model: ModelOptions
    @OptionGroup var reading: ReadingOptions

    func validate() throws {
        if dryRun, watch { throw ValidationError("--dry-run and --watch exclude each other.") }
    }

    mutating func run() throws {
        let root = URL(fileURLWithPath: folder).standardizedFileURL.resolvingSymlinksInPath()
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: root.path, isDirectory: &isDirectory),
            isDirectory.boolValue
        else { throw CommandFailure(.noInput, "\(folder): no such folder") }
        if dryRun { return try showPlan(root) }
        if !quiet { ReadingOptions.warnOfMissingTools() }
        // Before the first look, so that nothing between is missed.
        let folderWatch = watch ? try FolderWatch(root.path) : nil
        let library = try library.open(creates: createSubject, waitsLong: watch)
        let subjectID = try SubjectLookup.find(subject, in: library, creates: createSubject)
        let engine = embed ? try model.reproducibleEmbedder() : nil
        let text = try engine?.model ?? EmbeddingModel(path: try ModelOptions.path(model.model))
        let run = Run(
            library: library, subjectID: subjectID,
            sync: FolderSync(library, reading.processor(library, text)), engine: engine,
            reading: reading, json: json, isQuiet: quiet, queuesEmbeddings: !embed)
        let tally = try run.perform(root, scope: nil)
        guard let folderWatch else {
            return try tally.check()
        }
        if !quiet { StandardError.print("following \(root.path); Ctrl-C ends\n") }
        while let changed = try folderWatch.changes() {
            _ = try run.perform(root, scope: changed)
        }
    }

    private func showPlan(_ root: URL) throws {
        var subjectID: Int64?
        var present: Library?
        do {
            present = try library.openToRead()
            subjectID = try present?.subject(subject).id
        } catch let error as PipelineError {
            switch error {
            case .noSuchSubject, .libraryNotFound:
                guard createSubject else { throw error }
            default: throw error
            }
        }
        let sync = FolderSync(planning: present, extractor: reading.extractor)
        let (listing, failureCount) = Run.listing(root, scope: nil)
        var tally = SyncTally(unlistedCount: failureCount)
        for step in try sync.plan(listing, subjectID: subjectID) {
            tally.add(step.action)
            if json { step.json(nil).printLine() } else if !quiet { step.print() }
        }
        if !json { print("would: " + tally.summary) }
    }

    /// One look at the folder after another.
    private struct Run {
        var library: Library
        var subjectID: Int64
        var sync: FolderSync
        var engine: Embedder?
        var reading: ReadingOptions
        var json: Bool
        var isQuiet: Bool
        var queuesEmbeddings: Bool

        /// What the folder holds, and how many parts of it could not be looked at, which are named.
        static func listing(
            _ root: URL, scope: Set<String>?
        ) -> (listing: FolderSync.Listing, failureCount: Int) {
            let found = FileWalk.list(root)
            var listing = FolderSync.Listing(
                folder: root.path,
                files: found.files.map { FolderSync.File(path: $0.path, title: $0.name) })
            listing.unlisted = found.failures.map(\.path)
            listing.scope = scope
            let failures = found.failures.filter { listing.isInScope($0.path) }
            for failure in failures {
                StandardError.print(
                    "minilm: \(failure.path): \(failure.reason)".singleLine + "\n")
            }
            return (listing, failures.count)
        }

        func perform(_ root: URL, scope: Set<String>?) throws -> SyncTally {
            let (listing, failureCount) = Self.listing(root, scope: scope)
            let steps = try sync.plan(listing, subjectID: subjectID)
            let progress = WorkProgress(isQuiet: isQuiet || scope != nil)
            var tally = SyncTally(unlistedCount: failureCount)
            for (index, step) in steps.enumerated() {
                try Signals.check("after \(index) of \(steps.count) files")
                progress.showFiles(index, of: steps.count)
                let result = try sync.perform(
                    step, subjectID: subjectID, queuesEmbeddings: queuesEmbeddings)
                tally.add(step.action)
                tally.add(result)
                if case .failed(let reason) = result {
                    progress.finish()
                    StandardError.print(
                        "minilm: \(step.file.path): \(reason)".singleLine + "\n")
                }
                guard step.isChange else { continue }
                if json {
                    step.json(result).printLine()
                } else if !isQuiet {
                    progress.finish()
                    step.print()
                }
            }
            progress.finish()
            if !json, scope == nil || tally.hasChanges { print(tally.summary) }
            if let engine, scope == nil || tally.hasChanges {
                let backfill = Backfill(
                    selection: ChunkSelection(.subject(subjectID), .pending), isQuiet: isQuiet,
                    reading: reading)
                do { try backfill.run(library, engine, json: json) } catch let error
                    as CommandFailure where error.code == .someFailed
                {
                    StandardError.print("minilm: \(error.message)\n")
                }
            }
            try StandardStreams.flushOutput()
            return tally
        }
    }
}

/// What steps of a sync came to.
struct SyncTally {
    private var counts: [String: Int] = [:]
    private var failedCount = 0
    private var chunks = ChunkChanges()
    /// Parts of the folder that could not be looked at.
    private let unlistedCount: Int

    init(unlistedCount: Int) { self.unlistedCount = unlistedCount }

    mutating func add(_ action: FolderSync.Action) { counts[action.name, default: 0] += 1 }

    mutating func add(_ result: FolderSync.Result) {
        switch result {
        case .done(let changes): chunks += changes
        case .failed: failedCount += 1
        }
    }

    var hasChanges: Bool {
        ["add", "update", "move", "remove"].contains { counts[$0, default: 0] > 0 }
    }

    var summary: String {
        func count(_ name: String) -> Int { counts[name, default: 0] }
        let failed = max(failedCount, count("failed")) + unlistedCount
        return
            "add \(count("add")), update \(count("update")), move \(count("move")), "
            + "remove \(count("remove")), unchanged \(count("unchanged")), "
            + "pass over \(count("pass over")), failed \(failed); "
            + "\(chunks.addedCount) new chunks, \(chunks.keptCount) kept, "
            + "\(chunks.removedCount) removed"
    }

    func check() throws(CommandFailure) {
        let count = failedCount + unlistedCount
        guard count == 0 else {
            throw CommandFailure(
                .someFailed,
                "\(count) files could not be read"
                    + (failedCount > 0 ? ": see minilm material list" : ""))
        }
    }
}

extension FolderSync.Step {
    fileprivate var isChange: Bool {
        switch action {
        case .add, .update, .move, .remove: true
        case .unchanged, .failedBefore, .passOver: false
        }
    }

    fileprivate func print() {
        switch action {
        case .unchanged: break
        case .move(_, let from): Swift.print("move       \(from) -> \(file.path)".withoutControls)
        case .passOver(let reason), .failedBefore(_, let reason):
            let name = action.name.padding(toLength: 10, withPad: " ", startingAt: 0)
            Swift.print("\(name) \(file.path): \(reason)".withoutControls)
        default:
            let name = action.name.padding(toLength: 10, withPad: " ", startingAt: 0)
            Swift.print("\(name) \(file.path)".withoutControls)
        }
    }

    fileprivate func json(_ result: FolderSync.Result?) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("action", .string(action.name)), .init("path", .string(file.path)),
        ]
        switch action {
        case .update(let id), .remove(let id), .unchanged(let id):
            members.append(.init("material_id", .integer(id)))
        case .move(let id, let from):
            members.append(.init("material_id", .integer(id)))
            members.append(.init("from", .string(from)))
        case .failedBefore(let id, let reason):
            members.append(.init("material_id", .integer(id)))
            members.append(.init("reason", .string(reason)))
        case .passOver(let reason): members.append(.init("reason", .string(reason)))
        case .add: break
        }
        if case .failed(let reason) = result { members.append(.init("error", .string(reason))) }
        return .object(members)
    }
}
