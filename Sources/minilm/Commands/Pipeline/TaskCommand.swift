import ArgumentParser
import EmbeddingPipeline
import JSON

struct TaskCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "task", abstract: "List, queue and retry the tasks of workers.",
        subcommands: [List.self, Show.self, Add.self, Retry.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List tasks, the newest first.")

        @Option(
            help: ArgumentHelp(
                "Only those that are queued, running, succeeded or dead.", valueName: "state"))
        var state: PipelineTask.State?
        @Option(help: ArgumentHelp("At most so many.", valueName: "count")) var limit = 100
        @OptionGroup var library: LibraryOptions
        @Flag(help: "Print a JSON object a line.") var json = false

        mutating func run() throws {
            let tasks = try library.open().tasks(state, limit: limit)
            if json {
                for task in tasks { JSONValue.object(task.members).printLine() }
                return
            }
            var table = Table(
                ["id", "task", "argument", "state", "attempts", "next run", "last error"],
                left: [1, 3, 5, 6])
            for task in tasks {
                table.add([
                    "\(task.id)", task.name, "\(task.argument)", task.state.rawValue,
                    "\(task.attempts)",
                    task.state == .queued ? JSONValue.date(task.nextRunAt).string ?? "" : "",
                    task.lastError ?? "",
                ])
            }
            table.print()
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show a task and the story of its runs, as JSON.")

        @Argument(help: "The id.") var id: Int64
        @OptionGroup var library: LibraryOptions

        mutating func run() throws {
            let library = try library.open()
            let task = try library.task(id: id)
            let runs = try library.runs(taskID: id).map { run in
                JSONValue.object([
                    .init("attempt", .integer(run.attempt)),
                    .init("started_at", .date(run.startedAt)),
                    .init("ended_at", .date(run.endedAt)),
                    .init("outcome", .optional(run.outcome)),
                    .init("error", .optional(run.error)),
                ])
            }
            JSONValue.object(task.members + [.init("runs", .array(runs))]).printLine()
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Queue a task; its id is printed. What is queued already is not queued twice."
        )

        @Argument(
            help: ArgumentHelp(
                "What to do: \(TaskName.allCases.map(\.rawValue).joined(separator: ", ")).",
                valueName: "task"))
        var name: TaskName
        @Argument(help: "The id of the subject, material or chunk.") var argument: Int64
        @OptionGroup var library: LibraryOptions

        mutating func run() throws {
            let library = try library.open()
            switch name {
            case .processSubjectEmbeddings: _ = try library.subject(id: argument)
            case .generateChunkEmbedding: _ = try library.chunk(id: argument)
            default: _ = try library.material(id: argument)
            }
            print(try library.enqueue(name, argument))
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry",
            abstract: "Make tasks that are dead, or wait for a retry, due now.")

        @Argument(help: "The ids.") var ids: [Int64] = []
        @Flag(help: "All dead tasks.") var dead = false
        @OptionGroup var library: LibraryOptions

        func validate() throws {
            if ids.isEmpty != dead { throw ValidationError("Name ids, or --dead.") }
        }

        mutating func run() throws {
            let library = try library.open()
            let ids = dead ? try library.tasks(.dead, limit: .max).map(\.id) : ids
            for id in ids { _ = try library.task(id: id) }
            var count = 0
            for id in ids where try library.retryTask(id: id) { count += 1 }
            print("\(count) of \(ids.count.counted("task")) queued")
        }
    }
}

extension PipelineTask.State: ExpressibleByArgument {}
extension TaskName: ExpressibleByArgument {}

extension PipelineTask {
    fileprivate var members: [JSONValue.Member] {
        [
            .init("id", .integer(id)),
            .init("name", .string(name)),
            .init("argument", .integer(argument)),
            .init("state", .string(state.rawValue)),
            .init("attempts", .integer(attempts)),
            .init("next_run_at", .date(nextRunAt)),
            .init("runs_again", .bool(runsAgain)),
            .init("last_error", .optional(lastError)),
            .init("created_at", .date(createdAt)),
            .init("updated_at", .date(updatedAt)),
        ]
    }
}
