import ArgumentParser
import EmbeddingPipeline
import JSON

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show where everything in a library stands.",
        discussion: """
            Vectors of another model than the one at hand are stale: they are searched
            until `minilm generate-missing-embeddings` has made all anew.
            """)

    @Option(help: ArgumentHelp("Only this subject, by name or id.", valueName: "subject"))
    var subject: String?
    @Flag(help: "List the chunks and materials that have failed, with the reasons.")
    var failed = false
    @Flag(help: "Print a JSON object.") var json = false
    @OptionGroup var library: LibraryOptions
    @OptionGroup var model: ModelOptions

    mutating func run() throws {
        let library = try library.openToRead()
        let target: ChunkSelection.Target =
            if let subject { .subject(try library.subject(subject).id ?? 0) } else { .all }
        if failed { return try listFailures(library, target) }
        let identity = try identity(library)
        let statistics = try library.statistics(target, identity)
        let generation = try library.generation()
        let tasks = try library.taskCounts()
        if json {
            printJSON(statistics, generation, tasks, identity)
            return
        }
        statistics.print()
        if generation.isChanging {
            let heldUp = statistics.chunks.failedCount
            if heldUp > 0 {
                print(
                    "            \(heldUp) failed chunks may hold up the change (generate-missing-embeddings --accept-failed)"
                )
            }
            print(
                "model       search uses \(generation.active?.prefix(12) ?? ""), vectors of \(generation.target?.prefix(12) ?? "") are being made"
            )
        } else if let active = generation.active {
            print("model       \(active.prefix(12))")
        }
        let counts = PipelineTask.State.allCases.map { "\(tasks[$0] ?? 0) \($0.rawValue)" }
        print("tasks       " + counts.joined(separator: ", "))
        if !statistics.subjects.isEmpty {
            print("")
            printSubjects(statistics.subjects)
        }
    }

    /// The model at hand, or else the one that the library's vectors are made with.
    private func identity(_ library: Library) throws -> ModelIdentity {
        do { return try model.identity() } catch {
            guard model.model == nil, let identity = try library.targetModel() else { throw error }
            return identity
        }
    }

    private func printSubjects(_ subjects: [SubjectStatistics]) {
        var table = Table(
            [
                "subject", "id", "materials", "chunks", "completed", "pending", "failed",
                "stale", "complete",
            ])
        for subject in subjects {
            let chunks = subject.chunks
            let numbers = [
                Int(subject.id), subject.materialCount, chunks.chunkCount, chunks.completedCount,
                chunks.pendingCount, chunks.failedCount, chunks.staleCount,
            ]
            table.add([subject.name] + numbers.map(String.init) + [chunks.completionText])
        }
        table.print()
    }

    private func printJSON(
        _ statistics: LibraryStatistics, _ generation: Generation,
        _ tasks: [PipelineTask.State: Int], _ identity: ModelIdentity
    ) {
        let subjects = statistics.subjects.map { subject in
            JSONValue.object(
                [
                    .init("id", .integer(subject.id)), .init("name", .string(subject.name)),
                    .init("materials", .integer(subject.materialCount)),
                ] + subject.chunks.members)
        }
        let states = PipelineTask.State.allCases.map { state in
            JSONValue.Member(state.rawValue, .integer(tasks[state] ?? 0))
        }
        JSONValue.object([
            .init("totals", statistics.json),
            .init("model", .string(identity.fingerprint)),
            .init("active_model", .optional(generation.active)),
            .init("target_model", .optional(generation.target)),
            .init("tasks", .object(states)),
            .init("by_subject", .array(subjects)),
        ]).printLine()
    }

    private func listFailures(_ library: Library, _ target: ChunkSelection.Target) throws {
        var subjectID: Int64?
        if case .subject(let id) = target { subjectID = id }
        let materials = try library.materials(subjectID: subjectID)
            .filter { $0.processingStatus == .failed }
        let chunks = try library.failedChunks(target, limit: 10_000)
        if json {
            JSONValue.object([
                .init(
                    "materials",
                    .array(
                        materials.map { material in
                            .object([
                                .init("id", .optional(material.id.map { Int($0) })),
                                .init("source_path", .optional(material.sourcePath)),
                                .init("reason", .optional(material.lastError)),
                            ])
                        })),
                .init(
                    "chunks",
                    .array(
                        chunks.map { chunk in
                            .object([
                                .init("id", .optional(chunk.id.map { Int($0) })),
                                .init("material_id", .integer(chunk.materialID)),
                                .init("ordinal", .integer(chunk.ordinal)),
                                .init("attempts", .integer(chunk.attempts)),
                                .init("set_aside", .bool(chunk.isSetAside)),
                                .init("reason", .optional(chunk.lastError)),
                            ])
                        })),
            ]).printLine()
            return
        }
        for material in materials {
            print(
                "material \(material.id ?? 0)  \(material.sourcePath ?? material.title): \(material.lastError ?? "")"
                    .singleLine
            )
        }
        for chunk in chunks {
            print(
                "chunk \(chunk.id ?? 0)  (\(chunk.ordinal) of material \(chunk.materialID), \(chunk.attempts) attempts): \(chunk.lastError ?? "")"
                    .singleLine
            )
        }
        if materials.isEmpty, chunks.isEmpty { print("nothing has failed") }
    }
}
