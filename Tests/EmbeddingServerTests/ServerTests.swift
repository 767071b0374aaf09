import EmbeddingServer
import Foundation
import JSON
import Logging
import SystemPackage
import TestSupport
import Testing

/// Runs a server over these bytes and returns how it ended and its answers, a JSON value a line.
private func serve(
    _ input: some Sequence<UInt8>, limits: Server.Limits = .init()
) throws -> (end: Server.End, answers: [JSONValue]) {
    let directory = try TemporaryDirectory()
    let inputPath = try directory.write("input", input)
    let outputPath = try directory.write("output", [])
    let source = try FileDescriptor.open(FilePath(inputPath), .readOnly)
    let sink = try FileDescriptor.open(FilePath(outputPath), .writeOnly)
    defer {
        try? source.close()
        try? sink.close()
    }
    let server = Server(
        try TinyModel.embedder(), input: source, output: sink, limits: limits,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, isStopping: { false })
    let end = try server.run()
    let bytes = try Data(contentsOf: URL(fileURLWithPath: outputPath))
    #expect(bytes.isEmpty || bytes.last == 0x0A)
    let answers = try bytes.split(separator: 0x0A).map { try JSONValue(parsing: Array($0)) }
    return (end, answers)
}

private func serve(_ lines: String...) throws -> [JSONValue] {
    try serve(lines.joined(separator: "\n").utf8).answers
}

extension [JSONValue] {
    /// The answer to a request; answers come in any order.
    fileprivate func answer(_ id: JSONValue) throws -> JSONValue {
        let found = filter { $0["id"] == id }
        #expect(found.count == 1)
        return try #require(found.first)
    }
}

@Suite struct ServerTests {
    @Test func vectorsComeAsFloatsAndAsBase64() throws {
        let expected = try TinyModel.expectations()[1]
        let answers = try serve(
            #"{"jsonrpc":"2.0","id":"a","method":"embed","params":{"input":"Hello world!"}}"#,
            #"{"id":2,"method":"embed","params":{"inputs":["Hello world!"],"encoding_format":"base64"}}"#
        )
        #expect(answers.count == 2)
        _ = try answers.answer(.string("a"))
        _ = try answers.answer(.integer(2))
        let vector = try #require(expected.vectors["mean_normalized"])
        for answer in answers {
            let result = try #require(answer["result"])
            #expect(result["object"] == .string("list"))
            #expect(result["model"] == .string("tiny"))
            #expect(result["usage"]?["total_tokens"]?.int == expected.ids.count)
            let item = try #require(result["data"]?.array?.first)
            #expect(item["index"]?.int == 0)
            #expect(item["tokens"]?.int == expected.ids.count)
            #expect(item["truncated"] == .bool(false))
            let actual: [Float]
            if let text = item["embedding"]?.string {
                let data = try #require(Data(base64Encoded: text))
                actual = data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
            } else {
                actual = try #require(item["embedding"]?.array).compactMap(\.double).map {
                    Float($0)
                }
            }
            #expect(actual.count == vector.count)
            for (a, b) in zip(actual, vector) { #expect(abs(a - b) < 2e-6) }
        }
    }

    @Test(
        arguments: [
            ("nonsense", -32700), ("{\"id\":1", -32700), ("[", -32700), ("\u{0}", -32700),
            ("[]", -32600), ("17", -32600), ("{}", -32600), (#"{"id":1}"#, -32600),
            (#"{"id":[],"method":"info"}"#, -32600), (#"{"id":1,"method":5}"#, -32600),
            (#"{"jsonrpc":"1.0","id":1,"method":"info"}"#, -32600),
            (#"{"id":1,"id":2,"method":"info"}"#, -32600),
            (#"{"id":1,"method":"fly"}"#, -32601),
            (#"{"id":1,"method":"fly","params":[1]}"#, -32601),
            (#"{"id":1,"method":"embed"}"#, -32602),
            (#"{"id":1,"method":"embed","params":[]}"#, -32602),
            (#"{"id":1,"method":"embed","params":{"input":5}}"#, -32602),
            (#"{"id":1,"method":"embed","params":{"input":[5,null]}}"#, -32602),
            (#"{"id":1,"method":"embed","params":{"input":"a","inputs":"b"}}"#, -32602),
            (#"{"id":1,"method":"embed","params":{"input":"a","encoding_format":"hex"}}"#, -32602),
            (#"{"id":1,"method":"embed","params":{"input":"a","truncate":1}}"#, -32602),
            (#"{"id":1,"method":"embed","params":{"input":"a","colour":"red"}}"#, -32602),
            (
                #"{"id":1,"method":"embed","params":{"input":"\#(String(repeating: "cat ", count: 50))","truncate":false}}"#,
                -32003
            ),
        ])
    func aBadLineGetsItsErrorAndTheNextIsServed(line: String, expected: Int) throws {
        let answers = try serve(line, #"{"id":"next","method":"info"}"#)
        #expect(answers.count == 2)
        let next = try answers.answer(.string("next"))
        #expect(next["result"]?["model"]?["name"] == .string("tiny"))
        #expect(answers.compactMap(code) == [expected])
    }

    @Test func parameterErrorsNameTheParameter() throws {
        let answer = try serve(
            #"{"id":1,"method":"embed","params":{"input":"a","dimensions":0}}"#)[0]
        #expect(answer["error"]?["data"]?["param"] == .string("dimensions"))
        #expect(answer["id"] == .integer(1))
    }

    @Test func bytesThatAreNotUTF8AreAnswered() throws {
        let line: [UInt8] =
            Array(#"{"id":1,"method":"embed","params":{"input":""#.utf8) + [0xFF]
            + Array(#""}}"#.utf8)
        let answers = try serve(line + [0x0A] + Array(#"{"id":2,"method":"info"}"#.utf8)).answers
        #expect(answers.count == 2)
        #expect(code(answers[0]) == -32700)
        #expect(answers[0]["id"] == .null)
        #expect(answers[1]["id"] == .integer(2))
    }

    @Test func tenThousandNestedArraysAreAnswered() throws {
        let deep = String(repeating: "[", count: 10_000)
        let answers = try serve(deep, #"{"id":1,"method":"info"}"#)
        #expect(answers.map(code) == [-32700, nil])
    }

    @Test func aLineOverTheLimitIsSkippedAndAnswered() throws {
        let long = String(repeating: "x", count: 5000)
        let (end, answers) = try serve(
            "\(long)\n{\"id\":1,\"method\":\"info\"}\n\(long)".utf8,
            limits: .init(lineByteCount: 1000, textCount: 10))
        #expect(end == .endOfInput)
        #expect(answers.map(code) == [-32002, nil, -32002])
        #expect(answers[0]["error"]?["data"]?["limit"] == .string("max_line_bytes"))
    }

    @Test func tooManyTextsAreRefused() throws {
        let answers = try serve(
            #"{"id":1,"method":"embed","params":{"input":["a","b","c"]}}"#.utf8,
            limits: .init(lineByteCount: 1000, textCount: 2)
        ).answers
        #expect(code(answers[0]) == -32002)
        #expect(answers[0]["error"]?["data"]?["maximum"]?.int == 2)
    }

    @Test func notificationsAndBlankLinesAreNotAnswered() throws {
        let answers = try serve(
            "", "  \t\r", #"{"method":"info"}"#, #"{"method":"fly"}"#, #"[{"method":"info"}]"#,
            #"{"id":null,"method":"info"}"#, #"{"method":"embed","params":["x"]}"#,
            #"{"method":"$/other","params":5}"#, #"[{"method":"embed","params":[1]}]"#)
        #expect(answers.count == 1)
        #expect(answers[0]["id"] == .null)
    }

    @Test func aBatchIsAnsweredByABatch() throws {
        let answers = try serve(
            #"[{"id":1,"method":"info"},7,{"method":"info"},{"id":2,"method":"embed","params":{"input":"a"}}]"#
        )
        #expect(answers.count == 1)
        let batch = try #require(answers[0].array)
        #expect(batch.count == 3)
        #expect(batch[0]["id"] == .integer(1))
        #expect(code(batch[1]) == -32600)
        #expect(batch[2]["result"]?["data"]?.array?.count == 1)
    }

    @Test func aBatchIsBoundedLikeARequest() throws {
        let limits = Server.Limits(lineByteCount: 1 << 20, textCount: 3, requestCount: 2)
        let many = #"[1,2,3]"#
        let request = #"{"id":1,"method":"embed","params":{"input":["a","b"]}}"#
        let answers = try serve("\(many)\n[\(request),\(request)]\n".utf8, limits: limits).answers
        #expect(answers.filter { $0.array == nil }.map(code) == [-32002])
        let batch = try #require(answers.compactMap(\.array).first)
        #expect(batch.map(code) == [nil, -32002])
    }

    @Test func shutdownAnswersAndEnds() throws {
        let (end, answers) = try serve(
            "{\"id\":1,\"method\":\"shutdown\"}\n{\"id\":2,\"method\":\"info\"}\n".utf8)
        #expect(end == .shutdown)
        #expect(answers.count == 2)
        #expect(try answers.answer(.integer(1))["result"] == .null)
        #expect(code(try answers.answer(.integer(2))) == -32600)
    }

    @Test func everyMutatedLineIsAnsweredOnce() throws {
        var generator = SeededGenerator(seed: 9)
        let seed = Array(
            #"{"jsonrpc":"2.0","id":1,"method":"embed","params":{"input":["cat",""],"encoding_format":"base64"}}"#
                .utf8)
        var input: [UInt8] = []
        let count = 2000
        for _ in 0..<count {
            var line = seed
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<line.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: line[place] = UInt8.random(in: .min ... .max, using: &generator)
                case 1: line.remove(at: place)
                default: line.insert(UInt8.random(in: .min ... .max, using: &generator), at: place)
                }
            }
            input += line.map { $0 == 0x0A ? 0x20 : $0 } + [0x0A]
            input += Array("{\"id\":\"probe\",\"method\":\"info\"}\n".utf8)
        }
        let answers = try serve(input).answers
        let probes = answers.filter { $0["id"] == .string("probe") && $0["result"] != nil }
        #expect(probes.count == count)
        // A mutation of "id" makes a notification, which has no answer.
        #expect(answers.count <= 2 * count)
        #expect(answers.count > count + count / 2)
    }
}
