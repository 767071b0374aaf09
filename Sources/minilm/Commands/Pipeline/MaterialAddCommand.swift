import ArgumentParser
import EmbeddingEngine
import EmbeddingPipeline
import Foundation
import JSON

struct MaterialAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add files to a subject: their text is cut into chunks.",
        discussion: """
            Examples:
              minilm material add book.pdf chapters/ --subject history --create-subject --embed
              minilm material add slides.pptx --subject history

            A file that was added before is read anew when it has changed; chunks whose
            text is the same keep their vectors. Read are text in any encoding, Markdown,
            HTML, PDF, DOCX, PPTX, ODT, EPUB, RTF, CSV, JSON, e-mail, source code and
            subtitles. Of a directory all documents are taken; pictures, programs, empty
            and hidden files are passed over.

            The vectors are made at once with --embed; otherwise by `minilm worker`, or
            by `minilm generate-missing-embeddings`. Exits with 1 when a file could not
            be read.
            """)

    @Argument(help: ArgumentHelp("Files and directories.", valueName: "file"))
    var files: [String]

    @Option(help: ArgumentHelp("The name or id of a subject.", valueName: "subject"))
    var subject: String

    @Flag(help: "Make the subject where there is none.") var createSubject = false
    @Flag(help: "Make the vectors at once.") var embed = false
    @Flag(help: "Only register the files; `minilm worker` reads them.") var queue = false
    @Flag(help: "Print the result as a JSON object.") var json = false
    @Flag(name: [.short, .long], help: "No progress on stderr.") var quiet = false
    @OptionGroup var library: LibraryOptions
    @OptionGroup var model: ModelOptions
    @OptionGroup var reading: ReadingOptions

    func validate() throws {
        if embed, queue { throw ValidationError("--embed and --queue exclude each other.") }
    }

    private struct Tally {
        var addedCount = 0
        var updatedCount = 0
        var unchangedCount = 0
        var skippedCount = 0
        var queuedCount = 0
        var chunks = ChunkChanges()
        var failures: [(path: String, reason: String, isMissing: Bool)] = []
    }

    mutating func run() throws {
        let library = try library.open(creates: createSubject)
        let subject = try SubjectLookup.find(subject, in: library, creates: createSubject)
        if !quiet { ReadingOptions.warnOfMissingTools() }
        let listing = FileWalk.files(files)
        let found = listing.files
        let progress = WorkProgress(isQuiet: quiet)
        let engine = embed ? try model.reproducibleEmbedder() : nil
        let text = try engine?.model ?? EmbeddingModel(path: try ModelOptions.path(model.model))
        let processor = reading.processor(library, text)
        var tally = Tally()
        tally.failures = listing.failures.map { ($0.path, $0.reason, false) }
        for (index, file) in found.enumerated() {
            if Signals.isStopRequested { break }
            progress.showFiles(index, of: found.count)
            do throws(PipelineError) {
                try add(file, subject, processor, library, &tally)
            } catch {
                guard error == .stopped else { throw error }
                break
            }
        }
        progress.finish()
        let fileCount = found.count + listing.failures.count
        try report(tally, fileCount: fileCount)
        try Signals.check("after \(tally.addedCount + tally.updatedCount) files")
        if let engine {
            let backfill = Backfill(
                selection: ChunkSelection(.subject(subject)), isQuiet: quiet, reading: reading)
            try backfill.run(library, engine, json: json)
        }
        guard tally.failures.isEmpty else {
            let isListed = tally.failures.count > listing.failures.count
            if tally.failures.count == fileCount, tally.failures.allSatisfy(\.isMissing) {
                throw CommandFailure(.noInput, "no such file: \(tally.failures[0].path)")
            }
            throw CommandFailure(
                .someFailed,
                "\(tally.failures.count) of \(fileCount) files could not be read"
                    + (isListed ? ": see minilm material list" : "")
            )
        }
    }

    private func add(
        _ file: FileWalk.File, _ subject: Int64, _ processor: MaterialProcessor,
        _ library: Library, _ tally: inout Tally
    ) throws(PipelineError) {
        if queue {
            let material = try library.addMaterial(
                subjectID: subject, title: file.name, sourcePath: file.path)
            try library.enqueue(.processMaterial, material.id ?? 0)
            tally.queuedCount += 1
            return
        }
        let addition = try processor.add(
            path: file.path, title: file.name, subjectID: subject,
            recordsFailure: file.isNamed, queuesEmbeddings: !embed)
        switch addition.outcome {
        case .unchanged: tally.unchangedCount += 1
        case .extracted(let changes):
            if addition.isNew { tally.addedCount += 1 } else { tally.updatedCount += 1 }
            tally.chunks += changes
        case .failed(let error):
            if file.isNamed || addition.materialID != nil {
                tally.failures.append((file.path, error.description, error == .notFound))
            } else {
                tally.skippedCount += 1
            }
        case .failedBefore(let reason): tally.failures.append((file.path, reason, false))
        }
    }

    private func report(_ tally: Tally, fileCount: Int) throws {
        for failure in tally.failures where !failure.isMissing || fileCount > tally.failures.count {
            StandardError.print("minilm: \(failure.path): \(failure.reason)".singleLine + "\n")
        }
        if json {
            JSONValue.object([
                .init("files", .integer(fileCount)),
                .init("added", .integer(tally.addedCount)),
                .init("updated", .integer(tally.updatedCount)),
                .init("unchanged", .integer(tally.unchangedCount)),
                .init("queued", .integer(tally.queuedCount)),
                .init("skipped", .integer(tally.skippedCount)),
                .init("failed", .integer(tally.failures.count)),
                .init("chunks_added", .integer(tally.chunks.addedCount)),
                .init("chunks_kept", .integer(tally.chunks.keptCount)),
                .init("chunks_removed", .integer(tally.chunks.removedCount)),
            ]).printLine()
            return
        }
        if queue {
            print("\(tally.queuedCount) files queued; `minilm worker` reads them")
            return
        }
        let files = [
            "\(tally.addedCount) files added", "\(tally.updatedCount) updated",
            "\(tally.unchangedCount) unchanged", "\(tally.skippedCount) passed over",
            "\(tally.failures.count) failed",
        ]
        let chunks = [
            "\(tally.chunks.addedCount) new chunks", "\(tally.chunks.keptCount) kept",
            "\(tally.chunks.removedCount) removed",
        ]
        print(files.joined(separator: ", ") + "; " + chunks.joined(separator: ", "))
    }
}
