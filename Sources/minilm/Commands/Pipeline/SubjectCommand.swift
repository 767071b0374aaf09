import ArgumentParser
import EmbeddingPipeline
import JSON

struct SubjectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subject", abstract: "Add, list and remove subjects: they own materials.",
        subcommands: [Add.self, Set.self, List.self, Remove.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Add a subject; its id is printed.")

        @Argument(help: "The name.") var name: String
        @OptionGroup var chunking: ChunkingOptions
        @OptionGroup var library: LibraryOptions

        mutating func run() throws {
            let library = try library.open(creates: true)
            let subject = try library.addSubject(name)
            try chunking.apply(to: subject, in: library)
            print(subject.id ?? 0)
        }
    }

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Change how the text of a subject's materials is cut.",
            discussion: """
                What was cut before is cut anew when its file is added or synchronised again;
                chunks that come out the same keep their vectors.
                """)

        @Argument(help: "The name or id.") var subject: String
        @OptionGroup var chunking: ChunkingOptions
        @OptionGroup var library: LibraryOptions

        mutating func run() throws {
            let library = try library.open()
            try chunking.apply(to: try library.subject(subject), in: library)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List all subjects.")

        @OptionGroup var library: LibraryOptions
        @Flag(help: "Print a JSON object a line.") var json = false

        mutating func run() throws {
            let subjects = try library.open().subjects()
            if json {
                for subject in subjects {
                    JSONValue.object([
                        .init("id", .optional(subject.id.map { Int($0) })),
                        .init("name", .string(subject.name)),
                        .init("created_at", .date(subject.createdAt)),
                    ]).printLine()
                }
                return
            }
            var table = Table(["id", "name"], left: [1])
            for subject in subjects { table.add(["\(subject.id ?? 0)", subject.name]) }
            table.print()
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Remove a subject with its materials and vectors.")

        @Argument(help: "The name or id.") var subject: String
        @OptionGroup var library: LibraryOptions

        mutating func run() throws {
            let library = try library.open()
            let subject = try library.subject(subject)
            try library.removeSubject(id: subject.id ?? 0)
        }
    }
}
