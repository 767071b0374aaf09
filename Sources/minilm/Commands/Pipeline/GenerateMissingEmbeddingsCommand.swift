import ArgumentParser
import EmbeddingEngine
import EmbeddingPipeline
import JSON

struct GenerateMissingEmbeddingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate-missing-embeddings",
        abstract: "Make every embedding that is missing, of a subject, a material, or all.",
        discussion: """
            Examples:
              minilm generate-missing-embeddings --all
              minilm generate-missing-embeddings --subject-id 3 --dry-run
              minilm generate-missing-embeddings --material-id 17 --failed-only

            A chunk is in need when it is pending, has failed, or has no valid vector of
            this model. Each batch is stored in one transaction: whatever ends the run,
            another goes on where it was. With another model than before, new vectors
            are made beside the old ones, and search changes to them when all are there.

            On a terminal a bar shows how far the work is; elsewhere there is a line
            with the time every ten seconds. Exits with 0 when all are embedded, with 1
            when some have failed, 64 on wrong usage, 66 when there is no such subject
            or material.
            """)

    @Option(help: ArgumentHelp("The chunks of a subject.", valueName: "id"))
    var subjectID: Int64?
    @Option(help: ArgumentHelp("The chunks of a material.", valueName: "id"))
    var materialID: Int64?
    @Flag(help: "All chunks.") var all = false

    @Flag(help: "Only chunks that have failed, those set aside included.") var failedOnly = false
    @Flag(help: "Only chunks that are pending.") var pendingOnly = false
    @Flag(help: "Only chunks without a valid vector of this model.") var missingOnly = false

    @Flag(
        help:
            "Let search change to a new model although some chunks have failed with it.")
    var acceptFailed = false
    @Flag(help: "Say what would be done, and how long it would take; change nothing.")
    var dryRun = false
    @Flag(help: "Print statistics; change nothing.") var statsOnly = false
    @Option(
        help: ArgumentHelp(
            "Chunks that are in work and unstored at once, or auto: from 5 to 100, by the memory that is free.",
            valueName: "count"))
    var batchSize = BatchSize(count: 10)
    @Flag(name: [.short, .long], help: "No progress and no report, only errors.") var quiet = false
    @Flag(help: "Print the result as a JSON object.") var json = false
    @OptionGroup var library: LibraryOptions
    @OptionGroup var model: ModelOptions
    @OptionGroup var reading: ReadingOptions
    @OptionGroup var log: LogOptions

    /// A number of chunks, or `auto`.
    struct BatchSize: ExpressibleByArgument, CustomStringConvertible {
        var count: Int?

        init(count: Int?) { self.count = count }

        init?(argument: String) {
            if argument == "auto" {
                count = nil
            } else if let number = Int(argument), (1...10_000).contains(number) {
                count = number
            } else {
                return nil
            }
        }

        var description: String { count.map(String.init) ?? "auto" }
        var defaultValueDescription: String { description }
    }

    func validate() throws {
        let targets = [subjectID != nil, materialID != nil, all].count { $0 }
        guard targets == 1 else {
            throw ValidationError(
                "Name \(targets == 0 ? "a" : "only one") target: --subject-id, --material-id or --all."
            )
        }
        guard [failedOnly, pendingOnly, missingOnly].count(where: { $0 }) <= 1 else {
            throw ValidationError(
                "Name only one filter: --failed-only, --pending-only or --missing-only.")
        }
        if dryRun, statsOnly {
            throw ValidationError("--dry-run and --stats-only exclude each other.")
        }
    }

    private var selection: ChunkSelection {
        let target: ChunkSelection.Target =
            if let subjectID {
                .subject(subjectID)
            } else if let materialID {
                .material(materialID)
            } else {
                .all
            }
        let filter: ChunkSelection.Filter =
            failedOnly ? .failed : pendingOnly ? .pending : missingOnly ? .missing : .any
        return ChunkSelection(target, filter)
    }

    mutating func run() throws {
        let library =
            statsOnly || dryRun
            ? try library.openToRead() : try library.open(waitsLong: true)
        try library.checkExists(selection.target)
        if statsOnly {
            let statistics = try library.statistics(selection.target, try model.identity())
            if json { statistics.json.printLine() } else { statistics.print() }
            return
        }
        if dryRun { return try predict(library) }
        let logger = try log.logger()
        let engine = try model.reproducibleEmbedder()
        try model.compute.checkMemory(engine)
        var backfill = Backfill(
            selection: selection, isQuiet: quiet, reading: reading, logger: logger)
        backfill.options.batchSize = batchSize.count
        backfill.options.acceptsFailures = acceptFailed
        try backfill.run(library, engine, json: json)
    }

    private func predict(_ library: Library) throws {
        let engine = try model.reproducibleEmbedder()
        let plan = try MissingEmbeddings.plan(library, selection, ModelIdentity(engine.model))
        let cost = engine.costModel
        let count = plan.need.chunkCount
        let seconds =
            (Double(plan.texts.tokenCount) * cost.secondsPerToken
                + Double(plan.texts.textCount) * cost.secondsPerBatch)
            / Double(engine.configuration.threadCount)
        if json {
            JSONValue.object([
                .init("chunks", .integer(count)),
                .init("tokens", .integer(plan.need.tokenCount)),
                .init("texts", .integer(plan.texts.textCount)),
                .init("text_tokens", .integer(plan.texts.tokenCount)),
                .init("materials", .integer(plan.need.materialCount)),
                .init("unread_materials", .integer(plan.unreadMaterialCount)),
                .init("predicted_seconds", .number(seconds)),
            ]).printLine()
            return
        }
        print(
            "\(count.counted("chunk")) of \(plan.need.materialCount.counted("material")) would be embedded: "
                + "\(plan.need.tokenCount.counted("token")), about \(Duration.seconds(seconds).short)"
        )
        if plan.texts.textCount < count {
            print(
                "\(plan.texts.textCount.counted("text")) of them, \(plan.texts.tokenCount.counted("token")), would be computed; the others are equal to these or to what is there"
            )
        }
        if plan.unreadMaterialCount > 0 {
            print(
                "\(plan.unreadMaterialCount.counted("material")) would be read first; chunks come on top"
            )
        }
    }
}
