import Foundation
import JSON
import TestSupport
import Testing

/// The options of `serve`, and their twins in the environment.
@Suite struct ServeOptionTests {
    private func answers(
        _ arguments: [String], _ environment: [String: String] = [:], _ lines: String...
    ) throws -> [JSONValue] {
        let result = try Program.run(
            ["serve"] + arguments, input: Data((lines.joined(separator: "\n") + "\n").utf8),
            environment: environment)
        #expect(result.status == 0, "\(result.errors)")
        return try result.lines.map { try JSONValue(parsing: Array($0.utf8)) }
    }

    private static let info = #"{"id":"i","method":"info"}"#

    private struct Option {
        var name: String
        var value: String
        /// Where `info` shows it, and as what.
        var path: [String]
        var shown: JSONValue
    }

    private static let options = [
        Option(name: "threads", value: "1", path: ["threads"], shown: .integer(1)),
        Option(name: "max-batch-tokens", value: "96", path: ["batch_tokens"], shown: .integer(96)),
        Option(
            name: "max-memory", value: "700MB", path: ["limits", "max_memory_bytes"],
            shown: .integer(700_000_000)),
        Option(
            name: "max-line-bytes", value: "5000", path: ["limits", "max_line_bytes"],
            shown: .integer(5000)),
        Option(
            name: "max-client-batch-size", value: "7", path: ["limits", "max_client_batch_size"],
            shown: .integer(7)),
        Option(
            name: "max-concurrent-requests", value: "3",
            path: ["limits", "max_concurrent_requests"], shown: .integer(3)),
        Option(name: "backend", value: "openblas", path: ["backend"], shown: .string("openblas")),
    ]

    @Test(arguments: options.indices)
    func anOptionAndItsTwinInTheEnvironmentDoTheSame(index: Int) throws {
        let option = Self.options[index]
        let twin = "MINILM_" + option.name.uppercased().replacingOccurrences(of: "-", with: "_")
        for (arguments, environment) in [
            (["--\(option.name)", option.value], [:]), ([], [twin: option.value]),
            // What is said on the command line counts.
            (["--\(option.name)", option.value], [twin: option.name == "backend" ? "auto" : "64"]),
        ] as [([String], [String: String])] {
            let answer = try #require(try answers(arguments, environment, Self.info).first)
            #expect(
                option.path.reduce(answer["result"]) { $0?[$1] } == option.shown,
                "\(environment)")
        }
        let wrong = try Program.run("serve", input: "", environment: [twin: "-1x"])
        #expect(wrong.status == 64)
        #expect(wrong.errors.hasPrefix("minilm: $\(twin) is \"-1x\""), "\(wrong.errors)")
        #expect(try Program.run("serve", "--\(option.name)", "-1x", input: "").status == 64)
    }

    @Test func itSaysThatNoGPUIsUsed() throws {
        let info = try #require(try answers(["--backend", "auto"], [:], Self.info).first)
        #expect(info["result"]?["backend_reason"]?.string?.contains("GPU") == true)
    }

    @Test func theLimitsHoldAndAreNamed() throws {
        let embed = #"{"id":1,"method":"embed","params":{"input":["a","b","c"]}}"#
        let texts = try #require(try answers(["--max-client-batch-size", "2"], [:], embed).first)
        #expect(texts["error"]?["code"]?.int == -32002)
        #expect(texts["error"]?["data"]?["limit"]?.string == "max_client_batch_size")
        let lines = try answers(["--max-line-bytes", "40"], [:], embed, Self.info)
        #expect(lines.map { $0["error"]?["code"]?.int } == [-32002, nil])
        #expect(lines.first?["error"]?["data"]?["limit"]?.string == "max_line_bytes")
    }

    @Test func theCacheServesTextsThatComeAgain() throws {
        let embed = #"{"id":1,"method":"embed","params":{"input":"a","encoding_format":"base64"}}"#
        let stats = #"{"id":2,"method":"stats"}"#
        let (process, input, output) = try ServeSession.start(["--cache-bytes", "1MB"])
        var vectors: Set<String> = []
        for _ in 0..<3 {
            try input.write(contentsOf: Data((embed + "\n").utf8))
            let answer = try ServeSession.readLine(output)
            vectors.insert(
                try #require(answer["result"]?["data"]?.array?[0]["embedding"]?.string))
        }
        #expect(vectors.count == 1)
        try input.write(contentsOf: Data((stats + "\n").utf8))
        let cache = try ServeSession.readLine(output)["result"]?["cache"]
        #expect(cache?["hits"]?.int == 2 && cache?["misses"]?.int == 1)
        try input.close()
        process.waitUntilExit()
    }

    @Test func metricsAreInTheFileFromTheStartToTheEnd() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("minilm.prom")
        let (process, input, output) = try ServeSession.start(["--metrics-file", path])
        try input.write(
            contentsOf: Data(
                (#"{"id":1,"method":"embed","params":{"input":["a","b"]}}"# + "\ngarbage\n").utf8))
        for _ in 0..<2 { _ = try ServeSession.readLine(output) }
        let atStart = try String(contentsOfFile: path, encoding: .utf8)
        #expect(atStart.contains("# TYPE minilm_texts_total counter\nminilm_texts_total "))
        try input.close()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for line in [
            "minilm_texts_total 2", "minilm_requests_total{method=\"embed\"} 1",
            "minilm_request_errors_total{code=\"-32700\"} 1", "minilm_active_requests 0",
            "minilm_request_duration_seconds_count{method=\"embed\"} 1",
        ] {
            #expect(text.split(separator: "\n").contains { $0 == line }, "\(text)")
        }
        // Replaced whole: nothing else is left.
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.url.path)
                == ["minilm.prom"])
    }

    @Test func aMetricsFileThatCannotBeWrittenIsSaidAtTheStart() throws {
        let result = try Program.run("serve", "--metrics-file", "/does/not/exist/m", input: "")
        #expect(result.status == 73)
        #expect(result.output.isEmpty)
        #expect(result.errors.hasPrefix("minilm: /does/not/exist/m"))
    }

    @Test func whatCannotBeReadOrWrittenIsSaid() throws {
        func run(_ redirection: String) throws -> (status: Int32, errors: String) {
            let directory = try TemporaryDirectory()
            let errors = directory.path("errors")
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = [
                "-c", "echo '{}' | \"$0\" serve -m \"$1\" 2>\"$2\" \(redirection)",
                TestFiles.program.path, TinyModel.path, errors,
            ]
            try process.run()
            process.waitUntilExit()
            return (
                process.terminationStatus, try String(contentsOfFile: errors, encoding: .utf8)
            )
        }
        let reading = try run("</tmp")
        #expect(reading.status == 74)
        #expect(reading.errors == "minilm: requests cannot be read: Is a directory\n")
        let writing = try run(">/dev/full")
        #expect(writing.status == 74)
        #expect(writing.errors == "minilm: answers cannot be written: No space left on device\n")
    }
}
