import EmbeddingEngine
import EmbeddingServer
import Foundation
import JSON
import TestSupport
import Testing

private func session(_ limits: Server.Limits = .init(), threads: Int = 2) throws -> ServerSession {
    try ServerSession(try TinyModel.embedder(threads: threads, batchTokens: 64), limits: limits)
}

/// One request's answer.
private func call(_ method: String, _ params: String) throws -> JSONValue {
    let session = try session()
    try session.send(#"{"id":1,"method":"\#(method)","params":\#(params)}"#)
    return try #require(try session.finish().last)
}

/// Fewer where nothing is optimized.
private func scaled(_ count: Int) -> Int { Build.isOptimized ? count : count / 20 }

private func texts(_ count: Int) -> String {
    let texts = (0..<count).map { "\"text number \($0) of many\"" }
    return "[" + texts.joined(separator: ",") + "]"
}

@Suite struct EmbedTests {
    private func floats(_ item: JSONValue?) -> [Float] {
        (item?["embedding"]?.array ?? []).compactMap(\.double).map { Float($0) }
    }

    private func bytes(_ item: JSONValue?) -> [UInt8] {
        Data(base64Encoded: item?["embedding"]?.string ?? "").map(Array.init) ?? []
    }

    @Test func dimensionsAreCutBeforeTheVectorIsNormalized() throws {
        let expected = try #require(TinyModel.expectations()[1].vectors["mean"])
        let answer = try call("embed", #"{"input":"Hello world!","dimensions":8}"#)
        let vector = floats(answer["result"]?["data"]?.array?[0])
        let length = expected[..<8].reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(vector.count == 8)
        for (a, b) in zip(vector, expected) { #expect(abs(a - b / length) < 2e-6) }
    }

    @Test func precisionsAreWhatTheyAreSaidToBe() throws {
        let session = try session()
        for precision in ["float32", "int8", "uint8", "binary", "ubinary"] {
            for format in ["float", "base64"] {
                try session.send(
                    #"{"id":"\#(precision) \#(format)","method":"embed","params":{"input":"Hello world!","precision":"\#(precision)","encoding_format":"\#(format)"}}"#
                )
            }
        }
        let answers = try session.finish()
        func item(_ precision: String, _ format: String) -> JSONValue? {
            answers.first { $0["id"] == .string("\(precision) \(format)") }?["result"]?["data"]?
                .array?[0]
        }
        let vector = floats(item("float32", "float"))
        #expect(vector.count == 24)

        let int8 = (item("int8", "float")?["embedding"]?.array ?? []).compactMap(\.int)
        let scale = Float(try #require(item("int8", "float")?["scale"]?.double))
        for (a, b) in zip(vector, int8) { #expect(abs(a - scale * Float(b)) <= scale * 0.5001) }
        #expect(int8.map(\.magnitude).max() == 127)
        #expect(bytes(item("int8", "base64")).map { Int(Int8(bitPattern: $0)) } == int8)
        let uint8 = (item("uint8", "float")?["embedding"]?.array ?? []).compactMap(\.int)
        #expect(uint8 == int8.map { $0 + 128 })
        #expect(item("uint8", "float")?["zero_point"]?.int == 128)

        let packed = stride(from: 0, to: 24, by: 8).map { start in
            (0..<8).reduce(0) { $0 * 2 + (vector[start + $1] > 0 ? 1 : 0) }
        }
        let ubinary = (item("ubinary", "float")?["embedding"]?.array ?? []).compactMap(\.int)
        let binary = (item("binary", "float")?["embedding"]?.array ?? []).compactMap(\.int)
        #expect(ubinary == packed)
        #expect(binary == packed.map { $0 - 128 })
        #expect(bytes(item("ubinary", "base64")).map(Int.init) == packed)
        let answer = answers.first { $0["id"] == .string("binary float") }
        #expect(answer?["result"]?["bit_order"] == .string("big"))
    }

    @Test func aPromptStandsBeforeEachText() throws {
        let whole = try call("embed", #"{"input":"query: a cat"}"#)
        let prompted = try call("embed", #"{"input":["a cat"],"prompt":"query: "}"#)
        #expect(
            floats(whole["result"]?["data"]?.array?[0])
                == floats(prompted["result"]?["data"]?.array?[0]))
    }

    @Test func aBadTextAmongGoodOnesGetsItsOwnError() throws {
        let long = String(repeating: "cat ", count: 50)
        let answer = try call(
            "embed", #"{"input":["a",5,"\#(long)",null,"b"],"truncate":false}"#)
        let data = try #require(answer["result"]?["data"]?.array)
        #expect(data.map { $0["index"]?.int } == [0, 1, 2, 3, 4])
        #expect(data.map(code) == [nil, -32602, -32003, -32602, nil])
        #expect(floats(data[4]).count == 24)
    }

    @Test func theWindowCanBeWidened() throws {
        let long = String(repeating: "cat ", count: 60)
        let answer = try call("embed", #"{"input":"\#(long)","max_tokens":48}"#)
        let item = answer["result"]?["data"]?.array?[0]
        #expect(item?["tokens"]?.int == 48)
        #expect(item?["truncated"] == .bool(true))
        #expect(code(try call("embed", #"{"input":"a","max_tokens":49}"#)) == -32602)
    }

    @Test func anotherModelThanTheLoadedOneIsAnError() throws {
        #expect(code(try call("embed", #"{"input":"a","model":"other"}"#)) == -32602)
        #expect(code(try call("embed", #"{"input":"a","model":"tiny","user":"me"}"#)) == nil)
    }

    /// .NET's UTF-8 streams write one, and their users do not see it.
    @Test func aByteOrderMarkMayStandBeforeTheFirstLineOnly() throws {
        let session = try session()
        try session.send(
            "\u{FEFF}{\"id\":1,\"method\":\"info\"}", "\u{FEFF}{\"id\":2,\"method\":\"info\"}")
        let answers = try session.finish()
        #expect(answers.count == 2)
        #expect(answers.first?["id"] == .integer(1) && answers.first?["result"] != nil)
        #expect(answers.last?["error"]?["code"] == .integer(-32700))
    }

    @Test func noTextsAreAnEmptyList() throws {
        let answer = try call("embed", #"{"input":[]}"#)
        #expect(answer["result"]?["data"] == .array([]))
    }

    @Test func aStreamGivesEveryVectorOnceAndThenTheResult() throws {
        let session = try session()
        try session.send(
            #"{"id":7,"method":"embed","params":{"input":\#(texts(300)),"stream":true,"encoding_format":"base64"}}"#
        )
        let lines = try session.receive(until: .integer(7))
        let parts = lines.dropLast()
        #expect(parts.count > 5)
        var indices: [Int] = []
        for part in parts {
            #expect(part["method"] == .string("embed/partial"))
            #expect(part["params"]?["id"] == .integer(7))
            indices += (part["params"]?["data"]?.array ?? []).compactMap { $0["index"]?.int }
        }
        #expect(indices.sorted() == Array(0..<300))
        let result = try #require(lines.last?["result"])
        #expect(result["data"] == nil)
        #expect(result["usage"]?["total_tokens"]?.int ?? 0 > 300)
        #expect(try session.finish().isEmpty)
    }

    @Test func anEmptyStreamIsAResult() throws {
        let answer = try call("embed", #"{"input":[],"stream":true}"#)
        #expect(answer["result"]?["usage"]?["total_tokens"]?.int == 0)
    }
}

@Suite struct OtherMethodTests {
    @Test func initializeSaysWhatTheServerCan() throws {
        let result = try call("initialize", #"{"protocolVersion":"1","clientInfo":{"name":"t"}}"#)[
            "result"]
        #expect(result?["protocolVersion"] == .string("1"))
        #expect(result?["serverInfo"]?["name"] == .string("minilm"))
        #expect(result?["model"]?["dimension"]?.int == 24)
        #expect(result?["limits"]?["max_concurrent_requests"] == .null)
    }

    @Test func tokensAndCountsAreTheTokenizers() throws {
        let expected = try TinyModel.expectations()[1]
        let tokens = try call("tokenize", #"{"input":["Hello world!",7]}"#)["result"]?["data"]?
            .array
        #expect(tokens?[0]["ids"]?.array?.compactMap(\.int) == expected.ids.map(Int.init))
        #expect(tokens?[0]["tokens"]?.array?.first == .string("[CLS]"))
        #expect(tokens?[0]["offsets"]?.array?[1] == .array([.integer(0), .integer(5)]))
        #expect(tokens.map { code($0[1]) } == -32602)

        let long = String(repeating: "cat ", count: 60)
        let counts = try call("count", #"{"input":["Hello world!","\#(long)"]}"#)["result"]
        let data = counts?["data"]?.array
        #expect(data?[0]["tokens"]?.int == expected.ids.count)
        #expect(data?[0]["dropped"]?.int == 0)
        #expect(data?[1]["tokens"]?.int == 62)
        #expect(data?[1]["dropped"]?.int == 30)
        #expect(counts?["usage"]?["prompt_tokens"]?.int == expected.ids.count + 32)
    }

    @Test func aPlanIsAPredictionAndNothingRuns() throws {
        let session = try session()
        try session.send(
            #"{"id":1,"method":"plan","params":{"lengths":[32,32,32]}}"#,
            #"{"id":2,"method":"plan","params":{"input":["a b c","d"]}}"#,
            #"{"id":3,"method":"plan","params":{"lengths":[1]}}"#,
            #"{"id":4,"method":"plan","params":{}}"#)
        let answers = try session.finish()
        func answer(_ id: Int64) -> JSONValue? { answers.first { $0["id"] == .integer(id) } }
        #expect(answer(1)?["result"]?["batches"]?.int == 2)
        #expect(answer(1)?["result"]?["tokens"]?.int == 96)
        #expect(answer(1)?["result"]?["fits"] == .bool(true))
        #expect(answer(2)?["result"]?["texts"]?.int == 2)
        #expect(answer(2)?["result"]?["seconds"]?.double ?? 0 > 0)
        #expect(answer(3).map(code) == -32602)
        #expect(answer(4).map(code) == -32602)
    }

    @Test func statisticsCountWhatHappened() throws {
        let session = try session()
        try session.send(#"{"id":1,"method":"embed","params":{"input":["a","b","b"]}}"#, "garbage")
        _ = try session.receive(until: .integer(1))
        try session.send(#"{"id":2,"method":"stats"}"#)
        let stats = try session.receive(until: .integer(2)).last?["result"]
        #expect(stats?["requests"]?["succeeded"]?["embed"]?.int == 1)
        #expect(stats?["requests"]?["failed"]?["-32700"]?.int == 1)
        #expect(stats?["engine"]?["texts"]?.int == 2)
        #expect(stats?["engine"]?["shared_texts"]?.int == 1)
        #expect(stats?["queue"]?["jobs"]?.int == 0)
        #expect(stats?["latency_ms"]?["embed"]?["count"]?.int == 1)
        #expect(stats?["memory"]?["request_bytes"]?.int == 0)
        _ = try session.finish()
    }

    /// By the writing thread where the answer is long.
    @Test(arguments: [(1, 400), (2000, 40)])
    func whoeverHasAnAnswerFindsItsRequestGone(count: Int, requests: Int) throws {
        var limits = Server.Limits()
        limits.concurrentRequestCount = 1
        let session = try session(limits)
        let texts = [String](repeating: #""a""#, count: count).joined(separator: ",")
        for id in 0..<Int64(scaled(requests)) {
            try session.send(#"{"id":\#(id),"method":"embed","params":{"input":[\#(texts)]}}"#)
            #expect(try session.receive(until: .integer(id)).map(code) == [nil])
            try session.send(#"{"id":-1,"method":"stats"}"#)
            let stats = try session.receive(until: .integer(-1)).last?["result"]
            #expect(stats?["requests"]?["active"]?.int == 0)
            #expect(stats?["memory"]?["request_bytes"]?.int == 0)
            #expect(stats?["memory"]?["output_bytes"]?.int == 0)
        }
        _ = try session.finish()
    }

    @Test func nullAndEmptyParametersAreNone() throws {
        for params in ["null", "[]", "{}"] {
            #expect(try call("info", params)["result"]?["engine"] == .string("minilm"))
        }
    }

    @Test func metricsAreInPrometheusTextFormat() throws {
        let output = try FileDescriptorPair()
        let server = Server(
            try TinyModel.embedder(), input: output.input, output: output.output,
            limits: .init(), logger: output.logger, isStopping: { true })
        _ = try server.run()
        let text = server.metrics()
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let fields = line.split(separator: " ")
            #expect(fields.count == 2)
            #expect(fields[0].hasPrefix("minilm_"))
            #expect(Double(fields[1]) != nil)
        }
        #expect(text.contains("# TYPE minilm_texts_total counter\nminilm_texts_total 0\n"))
    }
}

@Suite struct SchedulingTests {
    /// An embedder under so low a ceiling that few parts of a stream may wait to be written.
    private func holdingEmbedder() throws -> Embedder {
        var configuration = Embedder.Configuration(threadCount: 1, batchTokenCount: 64)
        configuration.memory.ceiling = 1
        return try Embedder(modelPath: TinyModel.path, configuration)
    }

    /// A session with a request, `"held"`, that is in work for as long as its parts are not read.
    private func holdingSession(_ limits: Server.Limits = .init()) throws -> ServerSession {
        let session = try ServerSession(try holdingEmbedder(), limits: limits)
        try session.send(
            #"{"id":"held","method":"embed","params":{"input":\#(texts(1500)),"stream":true}}"#)
        return session
    }

    @Test func aShortRequestOvertakesALongOne() throws {
        let session = try session(threads: 1)
        try session.send(
            #"{"id":"long","method":"embed","params":{"input":\#(texts(scaled(20_000))),"encoding_format":"base64"}}"#,
            #"{"id":"short","method":"embed","params":{"input":"a query"}}"#)
        let lines = try session.receive(until: .string("long"))
        #expect(lines.map { $0["id"] } == [.string("short"), .string("long")])
        #expect(lines.last?["result"]?["data"]?.array?.count == scaled(20_000))
        _ = try session.finish()
    }

    @Test func progressIsReportedWhileARequestIsInWork() throws {
        let session = try holdingSession()
        try session.send(
            #"{"id":"long","method":"embed","params":{"input":\#(texts(1500)),"stream":true,"progress":true}}"#
        )
        // Longer than the least time between two reports; no more than that many wait meanwhile.
        Thread.sleep(forTimeInterval: 0.3)
        let lines = try session.receive(until: .string("long"))
        let reports = lines.filter { $0["method"] == .string("$/progress") }.map { $0["params"] }
        #expect(!reports.isEmpty)
        #expect(reports.allSatisfy { $0?["id"] == .string("long") && $0?["total"]?.int == 1500 })
        let done = reports.compactMap { $0?["done"]?.int }
        #expect(done == done.sorted() && done.allSatisfy { (1...1500).contains($0) })
        _ = try session.finish()
    }

    @Test func aCancelledRequestIsAnsweredOnce() throws {
        let session = try holdingSession()
        try session.send(
            #"{"method":"$/cancelRequest","params":{"id":"held"}}"#,
            #"{"method":"$/cancelRequest","params":{"id":"unknown"}}"#,
            #"{"id":2,"method":"$/cancelRequest","params":{"id":"held"}}"#)
        let lines = try session.receive(until: .integer(2))
        let answers = lines.filter { $0["id"] == .string("held") }
        #expect(answers.map(code) == [-32800])
        // Nothing of it comes after its answer.
        let index = try #require(lines.firstIndex { $0["id"] == .string("held") })
        #expect(lines[index...].allSatisfy { $0["method"] == nil })
        #expect(try session.finish().isEmpty)
    }

    @Test func aRequestPastItsDeadlineIsAnswered() throws {
        let session = try session(threads: 1)
        try session.send(
            #"{"id":"late","method":"embed","params":{"input":\#(texts(scaled(50_000))),"deadline_ms":5}}"#,
            #"{"id":"never","method":"embed","params":{"input":"a","deadline_ms":0}}"#,
            #"{"id":"fine","method":"embed","params":{"input":"a","deadline_ms":600000}}"#)
        let answers = try session.finish()
        #expect(answers.count == 3)
        for answer in answers {
            #expect(code(answer) == (answer["id"] == .string("fine") ? nil : -32005))
        }
    }

    @Test func anEarlierDeadlineIsKeptAfterALaterOne() throws {
        let embedder = try holdingEmbedder()
        let session = try ServerSession(embedder)
        try session.send(
            #"{"id":1,"method":"embed","params":{"input":"a","deadline_ms":600000}}"#)
        _ = try session.receive(until: .integer(1))
        try session.send(
            #"{"id":2,"method":"embed","params":{"input":\#(texts(1500)),"stream":true,"deadline_ms":300}}"#,
            #"{"id":3,"method":"info"}"#)
        var lines = try session.receive(until: .integer(3))
        // What is not read cannot be finished.
        while embedder.statistics.jobCount > 0 { usleep(1000) }
        let hasAnswer = lines.contains { $0["id"] == .integer(2) }
        if !hasAnswer { lines += try session.receive(until: .integer(2)) }
        #expect(lines.filter { $0["id"] == .integer(2) }.map(code) == [-32005])
        _ = try session.finish()
    }

    @Test func linesOfVeryManyValuesAreRefused() throws {
        let session = try session(.init(textCount: 1000))
        let many = [String](repeating: "[1]", count: 60_000).joined(separator: ",")
        try session.send(
            #"{"id":1,"method":"fly","params":[\#(many)]}"#,
            #"{"id":2,"method":"plan","params":{"lengths":[\#([String](repeating: "2", count: 1001).joined(separator: ","))]}}"#,
            #"{"id":3,"method":"info"}"#)
        let lines = try session.finish()
        #expect(lines.count == 3)
        #expect(
            lines.first { $0["id"] == .null }?["error"]?["data"]?["limit"]
                == .string("max_line_values"))
        #expect(lines.first { $0["id"] == .integer(2) }.map(code) == -32002)
    }

    @Test func thousandsOfRequestsAtOnceAreAllAnswered() throws {
        let session = try session()
        let count = scaled(5000)
        let writer = Thread {
            for id in 0..<count {
                try? session.send(
                    #"{"id":\#(id),"method":"embed","params":{"input":"text \#(id)","encoding_format":"base64"}}"#
                )
            }
            try? session.closeInput()
        }
        writer.start()
        var answers = 0
        while let line = try session.receive() {
            #expect(line["result"] != nil)
            answers += 1
        }
        #expect(answers == count)
    }

    @Test func requestsOverTheLimitAreToldToComeAgain() throws {
        var limits = Server.Limits()
        limits.concurrentRequestCount = 1
        let session = try holdingSession(limits)
        try session.send(#"{"id":2,"method":"embed","params":{"input":"a"}}"#)
        let lines = try session.receive(until: .string("held")).filter { $0["id"] != nil }
        #expect(lines.map { $0["id"] } == [.integer(2), .string("held")])
        #expect(code(lines[0]) == -32001)
        #expect(lines[0]["error"]?["data"]?["retry_after_ms"]?.int ?? 0 > 0)
        #expect(code(lines[1]) == nil)
        try session.send(#"{"id":3,"method":"embed","params":{"input":"a"}}"#)
        #expect(try session.receive(until: .integer(3)).last.map(code) == .some(nil))
        _ = try session.finish()
    }

    @Test func whatCanNeverFitIsRefused() throws {
        var configuration = Embedder.Configuration(threadCount: 1)
        configuration.memory.ceiling = 2 << 20
        let embedder = try Embedder(modelPath: TinyModel.path, configuration)
        let session = try ServerSession(embedder, limits: .init(lineByteCount: 1 << 24))
        // A line of this many texts is allowed; their vectors are not.
        let many = "[" + [String](repeating: "\"\"", count: 20_000).joined(separator: ",") + "]"
        try session.send(#"{"id":1,"method":"embed","params":{"input":\#(many)}}"#)
        let answer = try #require(try session.finish().first)
        #expect(code(answer) == -32004)
        #expect(answer["error"]?["data"]?["max_memory_bytes"]?.int == 2 << 20)
    }

    @Test func shutdownAnswersLast() throws {
        let session = try holdingSession()
        // At once: lines that come after a shutdown has ended the reading are not read.
        try session.send(#"{"id":2,"method":"shutdown"}"# + "\n" + #"{"id":3,"method":"info"}"#)
        let lines = try session.receive(until: .integer(2)).filter { $0["id"] != nil }
        #expect(lines.map { $0["id"] } == [.integer(3), .string("held"), .integer(2)])
        #expect(code(lines[0]) == -32600)
        #expect(try session.wait() == .shutdown)
    }

    @Test func aClosedOutputEndsItInMidWork() throws {
        let session = try session(threads: 1)
        try session.send(#"{"id":1,"method":"embed","params":{"input":\#(texts(scaled(50_000)))}}"#)
        try session.closeOutput()
        #expect(try session.wait() == .outputClosed)
    }

    @Test func aReaderThatStallsStopsTheReadingAndNothingIsLost() throws {
        let session = try session()
        let count = scaled(3000)
        let writer = Thread {
            for id in 0..<count {
                try? session.send(
                    #"{"id":\#(id),"method":"embed","params":{"input":["text \#(id)"],"stream":true}}"#,
                    #"[{"id":"i\#(id)","method":"info"}]"#)
            }
            try? session.closeInput()
        }
        writer.start()
        Thread.sleep(forTimeInterval: 1)
        var answers: Set<String> = []
        while let line = try session.receive() {
            guard let id = (line["id"] ?? line.array?[0]["id"]) else { continue }
            #expect(answers.insert("\(id)").inserted)
        }
        #expect(answers.count == 2 * count)
    }
}
