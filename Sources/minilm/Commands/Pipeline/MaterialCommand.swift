import ArgumentParser
import EmbeddingPipeline
import JSON

struct MaterialCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "material",
        abstract: "Add, list and remove materials: documents; follow a folder.",
        subcommands: [
            MaterialAddCommand.self, MaterialSyncCommand.self, List.self, Show.self, Remove.self,
        ])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the materials of a subject, or all.")

        @Option(help: ArgumentHelp("The name or id of a subject.", valueName: "subject"))
        var subject: String?
        @OptionGroup var library: LibraryOptions
        @Flag(help: "Print a JSON object a line.") var json = false

        mutating func run() throws {
            let library = try library.open()
            let subject = try subject.map { try library.subject($0) }
            let materials = try library.materials(subjectID: subject?.id)
            if json {
                for material in materials { material.json.printLine() }
                return
            }
            var table = Table(["id", "subject", "status", "title", "file"], left: [2, 3, 4])
            for material in materials {
                table.add([
                    "\(material.id ?? 0)", "\(material.subjectID)",
                    material.processingStatus.rawValue, material.title,
                    (material.sourcePath ?? "") + (material.lastError.map { " (\($0))" } ?? ""),
                ])
            }
            table.print()
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show the text that was taken from a material, chunk by chunk.")

        @Argument(help: "The id.") var id: Int64
        @OptionGroup var library: LibraryOptions
        @Flag(help: "Print a JSON object a line.") var json = false

        mutating func run() throws {
            let library = try library.openToRead()
            let material = try library.material(id: id)
            let chunks = try library.chunks(materialID: id)
            if !json {
                print("\(material.title) (\(material.mediaType ?? "not read"))".withoutControls)
                if let error = material.lastError { print("failed: \(error)") }
            }
            for chunk in chunks {
                if json {
                    try chunk.json.printLine()
                } else {
                    let place = try chunk.sourcePlace.label.map { ", \($0)" } ?? ""
                    print("\n-- \(chunk.ordinal + 1)\(place), \(chunk.tokenCount ?? 0) tokens")
                    if let context = chunk.context {
                        print(context.withoutControls, terminator: "")
                    }
                    print(chunk.text.withoutControls)
                }
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Remove materials with their chunks and vectors.")

        @Argument(help: "The ids.") var ids: [Int64]
        @OptionGroup var library: LibraryOptions

        mutating func run() throws {
            let library = try library.open()
            // An id that is not there is seen before anything is removed.
            for id in ids { _ = try library.material(id: id) }
            for id in Set(ids).sorted() { try library.removeMaterial(id: id) }
        }
    }
}

extension Material {
    fileprivate var json: JSONValue {
        .object([
            .init("id", .optional(id.map { Int($0) })),
            .init("subject_id", .integer(subjectID)),
            .init("title", .string(title)),
            .init("source_path", .optional(sourcePath)),
            .init("media_type", .optional(mediaType)),
            .init("content_hash", .optional(contentHash)),
            .init("processing_status", .string(processingStatus.rawValue)),
            .init("last_error", .optional(lastError)),
            .init("created_at", .date(createdAt)),
            .init("updated_at", .date(updatedAt)),
        ])
    }
}

extension ContentChunk {
    fileprivate var json: JSONValue {
        get throws(PipelineError) {
            .object([
                .init("chunk_id", .optional(id.map { Int($0) })),
                .init("ordinal", .integer(ordinal)),
                .init("tokens", .optional(tokenCount)),
                .init("embedding_status", .string(embeddingStatus.rawValue)),
                .init("place", try sourcePlace.json),
                .init("byte_start", .optional(byteStart)),
                .init("byte_end", .optional(byteEnd)),
                .init("context", .optional(context)),
                .init("text", .string(text)),
            ])
        }
    }
}
