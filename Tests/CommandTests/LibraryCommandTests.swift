import EmbeddingPipeline
import Foundation
import JSON
import TestSupport
import Testing

/// What a library holds, and its queue, through the real program.
@Suite struct LibraryCommandTests {
    private func lines(_ result: Program.Result) throws -> [JSONValue] {
        try result.lines.map { try JSONValue(parsing: Array($0.utf8)) }
    }

    @Test func aLibraryStandsWhereItIsSaidOrWhereItIsUsual() throws {
        let directory = try TemporaryDirectory()
        for (environment, place) in [
            (["XDG_DATA_HOME": directory.path("data")], "data/minilm/library.sqlite"),
            (["XDG_DATA_HOME": ""], ".local/share/minilm/library.sqlite"),
            (["MINILM_LIBRARY": directory.path("own.sqlite")], "own.sqlite"),
        ] as [([String: String], String)] {
            let all = ["HOME": directory.url.path, "MINILM_LIBRARY": ""].merging(environment) { $1 }
            let result = try Program.run(["subject", "add", "s"], environment: all)
            #expect(result.status == 0, "\(result.errors)")
            #expect(FileManager.default.fileExists(atPath: directory.path(place)), "\(place)")
        }
        let option = directory.path("option.sqlite")
        let environment = ["MINILM_LIBRARY": directory.path("own.sqlite")]
        let result = try Program.run(
            ["subject", "add", "s", "--library", option], environment: environment)
        #expect(result.text == "1\n")
        #expect(FileManager.default.fileExists(atPath: option))
    }

    @Test(arguments: [
        ["--concurrency", "0"], ["--concurrency", "65"], ["--poll-interval", "0"],
        ["--poll-interval", "x"], ["--once", "--twice"],
    ])
    func wrongOptionsOfAWorkerAreRefused(arguments: [String]) throws {
        let library = try ProgramLibrary()
        try library.fill()
        let result = try Program.run(
            ["worker"] + arguments, environment: ["MINILM_LIBRARY": library.path])
        #expect(result.status == 64 && result.output.isEmpty)
        #expect(result.errors.hasPrefix("minilm: ") && result.errors.count { $0 == "\n" } == 1)
    }

    @Test func subjectsAreAddedListedAndRemoved() throws {
        let library = try ProgramLibrary()
        #expect(try library.run("subject", "add", "history").text == "1\n")
        #expect(try library.run("subject", "add", "Größe & 物理").text == "2\n")
        let double = try library.run("subject", "add", "history")
        #expect(double.status == 65)
        #expect(double.errors == "minilm: there is a subject \"history\" already\n")
        #expect(try library.run("subject", "add", " ").status == 64)
        let subjects = try lines(try library.run("subject", "list", "--json"))
        // By name.
        #expect(subjects.map { $0["id"]?.int } == [2, 1])
        #expect(subjects.map { $0["name"]?.string } == ["Größe & 物理", "history"])
        #expect(try library.run("subject", "list").lines.count == 3)
        #expect(try library.run("subject", "remove", "Größe & 物理").status == 0)
        #expect(try library.run("subject", "remove", "1").status == 0)
        let gone = try library.run("subject", "remove", "1")
        #expect(gone.status == 66)
        #expect(gone.errors == "minilm: no subject \"1\"\n")
        #expect(try lines(try library.run("subject", "list", "--json")).isEmpty)
    }

    @Test func materialsAreListedAndRemovedWithAllTheyHave() throws {
        let library = try ProgramLibrary()
        try library.fill()
        try library.run("subject", "add", "empty")
        let materials = try lines(try library.run("material", "list", "--json"))
        #expect(materials.map { $0["title"]?.string } == ["first.txt", "second.txt"])
        #expect(materials.allSatisfy { $0["processing_status"] == .string("extracted") })
        #expect(materials.allSatisfy { $0["media_type"] == .string("text/plain") })
        #expect(
            try lines(try library.run("material", "list", "--subject", "empty", "--json")).isEmpty)
        #expect(try library.run("material", "list", "--subject", "none").status == 66)
        // One that is not there is seen before any is removed.
        #expect(try library.run("material", "remove", "1", "99").status == 66)
        #expect(try lines(try library.run("material", "list", "--json")).count == 2)
        #expect(try library.run("material", "remove", "1").status == 0)
        let status = try library.json("status", "--json")
        #expect(status["totals"]?["materials"]?.int == 1)
        #expect(status["tasks"]?["queued"]?.int == 1)
        #expect(try library.run("subject", "remove", "history").status == 0)
        let totals = try library.json("status", "--json")["totals"]
        #expect(totals?["materials"]?.int == 0 && totals?["chunks"]?.int == 0)
    }

    @Test func aFileThatIsOnlyRegisteredIsReadByAWorkerOrABackfill() throws {
        for command in [["worker", "--once"], ["generate-missing-embeddings", "--all", "-q"]] {
            let library = try ProgramLibrary()
            let path = try library.directory.write("notes.md", "# A\n\nSome text.\n".utf8)
            let added = try library.run(
                "material", "add", path, "--subject", "s", "--create-subject", "--queue")
            #expect(added.status == 0, "\(added.errors)")
            #expect(try library.json("status", "--json")["totals"]?["chunks"]?.int == 0)
            let result = try Program.run(command, environment: ["MINILM_LIBRARY": library.path])
            #expect(result.status == 0, "\(result.errors)")
            let totals = try library.json("status", "--json")["totals"]
            #expect(totals?["chunks"]?.int ?? 0 > 0)
            #expect(totals?["chunks"]?.int == totals?["completed"]?.int)
        }
    }

    @Test func filesThatCannotBeAddedAreNamedAndTheOthersAreAdded() throws {
        let library = try ProgramLibrary()
        let good = try library.directory.write("good.txt", "text".utf8)
        let binary = try library.directory.write("binary.txt", [0, 1, 2, 0])
        #expect(try library.run("material", "add", good, "--subject", "s").status == 66)
        let missing = library.directory.path("missing.txt")
        #expect(
            try library.run(
                "material", "add", missing, "--subject", "s", "--create-subject"
            ).errors == "minilm: no such file: \(missing)\n")
        let result = try library.run(
            "material", "add", binary, good, "--subject", "s", "--create-subject", "--json")
        #expect(result.status == 1)
        #expect(result.errors.contains("minilm: \(binary): the file is not text\n"))
        #expect(try JSONValue(parsing: Array(result.output))["added"]?.int == 1)
        let failed = try library.run("status", "--failed")
        #expect(failed.text.contains("\(binary): the file is not text"))
    }

    @Test func whatANameHoldsSteersNoTerminalAndBreaksNoLine() throws {
        let library = try ProgramLibrary()
        let name = "a\u{1B}[31m\nb.txt"
        let path = try library.directory.write(name, [0, 1, 2, 0])
        let added = try library.run("material", "add", path, "--subject", "s", "--create-subject")
        #expect(added.status == 1)
        #expect(added.errors.contains("a [31m b.txt: the file is not text\n"), "\(added.errors)")
        for command in [["material", "list"], ["status", "--failed"], ["task", "list"]] {
            let result = try Program.run(command, environment: ["MINILM_LIBRARY": library.path])
            #expect(!result.text.contains("\u{1B}"))
            #expect(!result.lines.contains { $0.hasPrefix("b.txt") })
        }
        // Programs get it as it is.
        let material = try library.json("material", "list", "--json")
        #expect(material["title"]?.string == name)
        let unknown = try library.run("material", "list", "--subject", "x\ny\u{7}")
        #expect(unknown.errors == "minilm: no subject \"x y \"\n", "\(unknown.errors)")
    }

    @Test func aDryRunTellsCopiesFromTextsThatAreComputed() throws {
        let library = try ProgramLibrary()
        let path = try library.directory.write("a.txt", "The same text.".utf8)
        let copy = try library.directory.write("b.txt", "The same text.".utf8)
        try library.run("material", "add", path, copy, "--subject", "s", "--create-subject")
        let arguments = ["generate-missing-embeddings", "--all", "--dry-run"]
        let environment = ["MINILM_LIBRARY": library.path]
        let text = try Program.run(arguments, environment: environment).text
        #expect(text.hasPrefix("2 chunks of 2 materials would be embedded: "))
        #expect(text.contains("\n1 text of them, "))
        let json = try JSONValue(
            parsing: Array(try Program.run(arguments + ["--json"], environment: environment).output)
        )
        #expect(json["chunks"]?.int == 2 && json["texts"]?.int == 1)
        #expect(json["tokens"]?.int == 2 * (json["text_tokens"]?.int ?? 0))
    }

    @Test func aDeadTaskIsShownAndRetried() throws {
        let library = try ProgramLibrary()
        try library.fill()
        let binary = try library.directory.write("first.txt", [0, 1, 2, 0])
        let id = try library.run("task", "add", "process_material", "1").text
            .trimmingCharacters(in: .newlines)
        // What is queued already is queued once.
        #expect(try library.run("task", "add", "process_material", "1").text == id + "\n")
        let worker = try library.run("worker", "--once", "--no-jitter", "--log-level", "error")
        #expect(worker.status == 1)
        #expect(worker.errors == "minilm: 1 task failed: see minilm task list\n")
        let dead = try lines(try library.run("task", "list", "--state", "dead", "--json"))
        #expect(dead.map { $0["last_error"]?.string } == ["the file is not text"])
        #expect(try library.run("task", "retry").status == 64)
        #expect(try library.run("task", "retry", "--dead", id).status == 64)
        _ = try library.directory.write("first.txt", "mended".utf8)
        #expect(try library.run("task", "retry", "--dead").text == "1 of 1 task queued\n")
        #expect(try library.run("worker", "--once").status == 0, "\(binary)")
        let task = try library.json("task", "show", id)
        #expect(task["state"] == .string("succeeded"))
        #expect(
            task["runs"]?.array?.compactMap { $0["outcome"]?.string } == ["failed", "succeeded"])
        #expect(try library.run("task", "show", "99").status == 66)
    }

    @Test func aWorkerWithoutJitterWaitsExactlyAsLongAsIsSpecified() throws {
        let library = try ProgramLibrary()
        try library.fill()
        try FileManager.default.removeItem(atPath: library.directory.path("first.txt"))
        let id = try library.run("task", "add", "process_material", "1").text
            .trimmingCharacters(in: .newlines)
        #expect(
            try library.run("worker", "--once", "--no-jitter", "--poll-interval", "0.05").status
                == 1)
        let task = try library.json("task", "show", id)
        func time(_ key: String) throws -> Date {
            let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            return try format.parse(try #require(task[key]?.string))
        }
        #expect(
            try time("next_run_at").timeIntervalSince(try time("updated_at")) == 60,
            "\(task)")
    }
}

/// A change of the model, through the real program.
@Suite struct ModelChangeTests {
    @Test func aNewModelComesBesideTheOldAndTakesOverWhenItIsComplete() throws {
        let library = try ProgramLibrary()
        try library.fill()
        try library.run("generate-missing-embeddings", "--all", "--quiet")
        let other = try library.otherModel()
        func search(_ model: String) throws -> Program.Result {
            try library.run("search", "Sentence 7", "--subject", "1", "--json", "--model", model)
        }
        let before = try search(TinyModel.path)
        #expect(before.status == 0 && !before.output.isEmpty)

        // Half of it: one of two materials.
        let half = try library.run(
            "generate-missing-embeddings", "--material-id", "1", "--model", other)
        #expect(half.status == 0, "\(half.errors)")
        #expect(try search(TinyModel.path).output == before.output)
        #expect(try search(other).status == 65)
        let between = try library.json("status", "--json", "--model", other)
        let stale = try #require(between["totals"]?["stale_vectors"]?.int)
        #expect(stale > 0 && stale < between["totals"]?["chunks"]?.int ?? 0)

        #expect(
            try library.run("generate-missing-embeddings", "--all", "-q", "--model", other).status
                == 0)
        #expect(try search(other).status == 0)
        #expect(try search(TinyModel.path).status == 65)
        let after = try library.json("status", "--json", "--model", other)
        #expect(after["totals"]?["stale_vectors"]?.int == 0)
        #expect(try library.run("worker", "--once", "--model", other).status == 0)
    }

    @Test func aChunkThatFailsHoldsTheNewModelUpUnlessThatIsAccepted() throws {
        let library = try ProgramLibrary()
        try library.fill()
        try library.run("generate-missing-embeddings", "--all", "--quiet")
        let other = try library.otherModel()
        let store = try Library(path: library.path)
        // Longer than the window of either model.
        let long = String(repeating: "long ", count: 100)
        try store.replaceText(chunkID: 1, long, tokenCount: 102)
        let arguments = ["generate-missing-embeddings", "--all", "-q", "--model", other]
        let environment = ["MINILM_LIBRARY": library.path]
        func isSearched() throws -> Bool {
            try library.run("search", "a", "--subject", "1", "--model", other).status == 0
        }
        #expect(try Program.run(arguments, environment: environment).status == 1)
        #expect(try !isSearched())
        #expect(
            try Program.run(arguments + ["--accept-failed"], environment: environment).status == 1)
        #expect(try isSearched())
        #expect(try library.run("status", "--failed").text.contains("more than the model's window"))
    }
}
