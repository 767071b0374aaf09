import EmbeddingPipeline
import Foundation
import GRDB
import JSON
import TestSupport
import Testing

@Suite struct PipelineCommandTests {
    private func integer(_ value: JSONValue, _ key: String) -> Int? { value[key]?.int }

    @Test func fromFilesToASearchResult() throws {
        let library = try ProgramLibrary()
        try library.fill()
        let before = try library.json("status", "--json")
        let count = try #require(before["totals"]?["chunks"]?.int)
        #expect(count > 2)
        #expect(before["totals"]?["pending"]?.int == count)
        #expect(before["tasks"]?["queued"]?.int == 2)

        let done = try library.json("generate-missing-embeddings", "--all", "--json", "--quiet")
        #expect(integer(done, "completed") == count)
        #expect(integer(done, "failed") == 0 && integer(done, "left") == 0)
        let after = try library.json("status", "--json")
        #expect(after["totals"]?["completed"]?.int == count)
        #expect(after["totals"]?["completion_rate"]?.double == 1)
        #expect(after["active_model"]?.string == after["model"]?.string)

        let search = try library.run(
            "search", "Sentence 7 of the second file.", "--subject", "history", "-k", "2", "--json")
        #expect(search.status == 0, "\(search.errors)")
        let hits = try search.lines.map { try JSONValue(parsing: Array($0.utf8)) }
        #expect(hits.map { $0["rank"]?.int } == [1, 2])
        #expect(hits[0]["source_path"]?.string?.hasSuffix(".txt") == true)
        #expect(hits[0]["text"]?.string?.contains("Sentence") == true)
        #expect((hits[0]["score"]?.double ?? 0) >= (hits[1]["score"]?.double ?? 1))
    }

    @Test func withNothingToDoItSaysSo() throws {
        let library = try ProgramLibrary()
        try library.fill()
        #expect(try library.run("generate-missing-embeddings", "--all").status == 0)
        let again = try library.run("generate-missing-embeddings", "--all")
        #expect(again.status == 0 && again.text == "nothing to do\n")
    }

    @Test(arguments: [
        (["--all"], true), (["--subject-id", "1"], true), (["--material-id", "2"], false),
        (["--all", "--failed-only"], false), (["--all", "--pending-only"], true),
        (["--all", "--missing-only"], true), (["--all", "--batch-size", "1"], true),
        (["--all", "--batch-size", "auto"], true), (["--all", "--batch-size", "100"], true),
    ])
    func everyTargetFilterAndSizeWorks(arguments: [String], doesAll: Bool) throws {
        let library = try ProgramLibrary()
        try library.fill()
        let result = try Program.run(
            ["generate-missing-embeddings", "--json"] + arguments,
            environment: ["MINILM_LIBRARY": library.path])
        #expect(result.status == 0, "\(result.errors)")
        let totals = try library.json("status", "--json")["totals"]
        #expect((totals?["pending"]?.int == 0) == doesAll)
    }

    @Test(
        arguments: [
            ([], 64), (["--all", "--subject-id", "1"], 64),
            (["--subject-id", "1", "--material-id", "1"], 64),
            (["--all", "--material-id", "1"], 64),
            (["--all", "--subject-id", "1", "--material-id", "1"], 64),
            (["--all", "--failed-only", "--pending-only"], 64),
            (["--all", "--failed-only", "--missing-only"], 64),
            (["--all", "--pending-only", "--missing-only"], 64),
            (["--all", "--failed-only", "--pending-only", "--missing-only"], 64),
            (["--all", "--dry-run", "--stats-only"], 64), (["--stats-only"], 64),
            (["--dry-run"], 64), (["--failed-only"], 64), (["--all", "1"], 64),
            (["--all", "--batch-size", "-1"], 64), (["--all", "--batch-size", ""], 64),
            (["--all", "--all-of-them"], 64), (["--material-id", ""], 64),
            (["--subject-id", "99999999999999999999"], 64), (["--subject-id", "0"], 66),
            (["--all", "--batch-size", "0"], 64), (["--all", "--batch-size", "many"], 64),
            (["--subject-id", "x"], 64), (["--subject-id", "99"], 66),
            (["--material-id", "99"], 66), (["--subject-id", "99", "--dry-run"], 66),
            (["--material-id", "99", "--stats-only"], 66),
        ] as [([String], Int32)])
    func aForbiddenCombinationOrAnUnknownIDChangesNothing(
        arguments: [String], status: Int32
    ) throws {
        let library = try ProgramLibrary()
        try library.fill()
        let before = try Data(contentsOf: URL(fileURLWithPath: library.path))
        let result = try Program.run(
            ["generate-missing-embeddings"] + arguments,
            environment: ["MINILM_LIBRARY": library.path])
        #expect(result.status == status, "\(result.errors)")
        #expect(result.output.isEmpty)
        #expect(result.errors.hasPrefix("minilm: ") && result.errors.hasSuffix("\n"))
        #expect(result.errors.count { $0 == "\n" } == 1)
        #expect(try Data(contentsOf: URL(fileURLWithPath: library.path)) == before)
    }

    @Test func aDryRunAndStatisticsChangeNothing() throws {
        let library = try ProgramLibrary()
        try library.fill()
        let before = try Data(contentsOf: URL(fileURLWithPath: library.path))
        let plan = try library.json("generate-missing-embeddings", "--all", "--dry-run", "--json")
        let statistics = try library.json(
            "generate-missing-embeddings", "--subject-id", "1", "--stats-only", "--json")
        let text = try library.run("generate-missing-embeddings", "--all", "--dry-run").text
        #expect(try Data(contentsOf: URL(fileURLWithPath: library.path)) == before)
        let count = try #require(plan["chunks"]?.int)
        #expect(count == statistics["chunks"]?.int && count == statistics["pending"]?.int)
        #expect(statistics["materials_with_chunks"]?.int == 2)
        #expect(statistics["subjects_with_materials"]?.int == 1)
        #expect(statistics["missing_vectors"]?.int == count)
        #expect(statistics["completion_rate"]?.double == 0)
        #expect((plan["tokens"]?.int ?? 0) > count * 10)
        #expect((plan["predicted_seconds"]?.double ?? 0) > 0)
        #expect(text.hasPrefix("\(count) chunks of 2 materials would be embedded: "))
    }

    @Test func progressIsLinesWithTheTimeWhereThereIsNoTerminal() throws {
        let library = try ProgramLibrary()
        try library.fill()
        let result = try library.run("generate-missing-embeddings", "--all")
        let last = result.errors.split(separator: "\n").last ?? ""
        let form = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  (\d+) of (\d+) chunks  100\.0 %  .*/
        let match = try #require(try form.wholeMatch(in: last), "\(result.errors)")
        #expect(match.1 == match.2)
        let quiet = try library.run("generate-missing-embeddings", "--all", "--quiet")
        #expect(quiet.errors.isEmpty && quiet.output.isEmpty)
    }

    @Test func aChunkThatEndsTheProcessIsSetAside() throws {
        let library = try ProgramLibrary()
        try library.fill()
        let poison = [
            "MINILM_TEST_ABORT_ON": "Sentence 3 of the first", "SWIFT_BACKTRACE": "enable=no",
        ]
        var results: [Int32] = []
        while results.count < 20 {
            let result = try library.run(
                "generate-missing-embeddings", "--all", "--json", environment: poison)
            results.append(result.status)
            if result.status == 1 { break }
        }
        #expect(results.count <= 12 && results.last == 1, "\(results)")
        let totals = try library.json("status", "--json")["totals"]
        #expect(totals?["set_aside"]?.int == 1 && totals?["failed"]?.int == 1)
        #expect(totals?["pending"]?.int == 0)
        let failed = try library.run("status", "--failed").text
        #expect(failed.contains("ended 6 times or more while this chunk was in work"))
        // It is left alone until it is named.
        #expect(
            try library.run("generate-missing-embeddings", "--all", environment: poison).status == 1
        )
        #expect(
            try library.run("generate-missing-embeddings", "--all", "--failed-only").status == 0)
        #expect(try library.json("status", "--json")["totals"]?["completion_rate"]?.double == 1)
    }

    @Test func aWorkerDoesWhatIsQueued() throws {
        let library = try ProgramLibrary()
        try library.fill()
        let result = try library.run("worker", "--once", "--concurrency", "2")
        #expect(result.status == 0, "\(result.errors)")
        #expect(try library.json("status", "--json")["tasks"]?["succeeded"]?.int == 2)
        // A file that is gone is tried again later.
        let path = library.directory.path("first.txt")
        try FileManager.default.removeItem(atPath: path)
        let id = try library.run("task", "add", "process_material", "1").text
        #expect(try library.run("worker", "--once").status == 1)
        let task = try library.json("task", "show", id.trimmingCharacters(in: .newlines))
        #expect(task["state"]?.string == "queued" && task["attempts"]?.int == 1)
        #expect(task["runs"]?.array?.first?["error"]?.string == "no such file")
        #expect(try library.run("task", "list", "--state", "queued").lines.count == 2)
        #expect(try library.run("task", "retry", "99").status == 66)
        #expect(try library.run("task", "add", "process_material", "99").status == 66)
        #expect(try library.run("task", "add", "nonsense", "1").status == 64)
    }

    @Test func anotherModelsQueryIsRefusedUntilItsVectorsAreThere() throws {
        let library = try ProgramLibrary()
        try library.fill()
        try library.run("generate-missing-embeddings", "--all", "--quiet")
        let other = try library.otherModel()
        let refused = try library.run(
            "search", "a", "--subject", "history", "--model", other)
        #expect(
            refused.status == 65 && refused.errors.contains("the library's vectors are of model"))
        let stale = try library.run("status", "--json", "--model", other).output
        let totals = try JSONValue(parsing: Array(stale))["totals"]
        #expect(totals?["stale_vectors"]?.int == totals?["chunks"]?.int)
        let worker = try library.run("worker", "--once", "--model", other)
        #expect(worker.status == 65)
    }

    @Test func aMaterialIsReadAnewWhenItsFileHasChanged() throws {
        let library = try ProgramLibrary()
        try library.fill()
        let path = library.directory.path("first.txt")
        let again = try library.json("material", "add", path, "--subject", "history", "--json")
        #expect(integer(again, "unchanged") == 1)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        _ = try library.directory.write("first.txt", Data((text + "\n\nA new end.").utf8))
        let update = try library.json("material", "add", path, "--subject", "history", "--json")
        #expect(integer(update, "updated") == 1)
        #expect((integer(update, "chunks_kept") ?? 0) > 0)
        #expect((integer(update, "chunks_added") ?? 0) <= 2)
    }

    @Test(
        arguments: [
            (["subject", "list"], 66), (["status"], 66), (["worker", "--once"], 66),
            (["generate-missing-embeddings", "--all"], 66), (["task", "list"], 66),
            (["search", "x", "--subject", "s"], 66), (["material", "list"], 66),
        ] as [([String], Int32)])
    func withoutALibraryThereIsAnError(arguments: [String], status: Int32) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("none.sqlite")
        let result = try Program.run(arguments, environment: ["MINILM_LIBRARY": path])
        #expect(result.status == status)
        #expect(result.errors == "minilm: \(path): no library there\n")
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test(
        arguments: [
            (Data("no database at all, but long enough to be looked at".utf8), 65),
            (Data(), 65), (Data("SQLite format 3\0".utf8) + Data(repeating: 7, count: 5000), 65),
        ] as [(Data, Int32)])
    func whatIsNoLibraryIsRefused(bytes: Data, status: Int32) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("broken.sqlite", bytes)
        for arguments in [
            ["status"], ["generate-missing-embeddings", "--all"], ["worker", "--once"],
        ] {
            let result = try Program.run(arguments, environment: ["MINILM_LIBRARY": path])
            #expect(result.status == status, "\(result.errors)")
            #expect(result.errors.count { $0 == "\n" } == 1)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
        }
    }

    @Test func verifyFindsAndMendsDamage() throws {
        let library = try ProgramLibrary()
        try library.fill()
        try library.run("generate-missing-embeddings", "--all", "--quiet")
        #expect(try library.run("verify", "--library", library.path, "--quiet").status == 0)
        let store = try Library(path: library.path)
        try store.write { db in
            try db.execute(sql: "UPDATE content_chunks SET embedding = x'00' WHERE id = 2")
        }
        let look = try library.run("verify", "--library", library.path, "--check-only", "--json")
        #expect(look.status == 1)
        #expect(try JSONValue(parsing: Array(look.output))["missing"]?.int == 1)
        #expect(try library.run("verify", "--library", library.path).status == 1)
        #expect(try library.run("worker", "--once").status == 0)
        #expect(try library.run("verify", "--library", library.path).status == 0)
    }
}
