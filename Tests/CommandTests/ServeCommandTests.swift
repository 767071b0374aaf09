import Foundation
import JSON
import TestSupport
import Testing

@Suite struct ServeCommandTests {
    private static let request = #"{"id":1,"method":"embed","params":{"input":"cat"}}"# + "\n"

    @Test func answersUntilTheInputEnds() throws {
        let result = try Program.run(
            "serve", input: Self.request + "garbage\n" + #"{"id":2,"method":"info"}"#)
        #expect(result.status == 0)
        #expect(result.errors == "")
        let answers = try result.lines.map { try JSONValue(parsing: Array($0.utf8)) }
        #expect(answers.count == 3)
        for id in [JSONValue.integer(1), .integer(2)] {
            #expect(answers.contains { $0["id"] == id && $0["result"] != nil })
        }
        #expect(answers.contains { $0["id"] == .null && $0["error"]?["code"]?.int == -32700 })
    }

    @Test func logsGoToStandardError() throws {
        let result = try Program.run("serve", "--log-level", "info", input: Self.request)
        #expect(result.errors.contains("serving"))
        #expect(result.lines.count == 1)
    }

    @Test func aRequestIsAnsweredWhileTheInputIsOpen() throws {
        let (process, input, output) = try start()
        for _ in 0..<3 {
            try input.write(contentsOf: Data(Self.request.utf8))
            #expect(try readLine(output)["id"] == .integer(1))
        }
        try input.write(contentsOf: Data("{\"id\":9,\"method\":\"shutdown\"}\n".utf8))
        #expect(try readLine(output)["result"] == .null)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test func aClosedOutputEndsItQuietly() throws {
        let (process, input, output) = try start()
        // Not after it is closed: the server may be gone by then, and nobody read the request.
        try input.write(contentsOf: Data(Self.request.utf8))
        try output.close()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == 0)
    }

    /// The answers of all its requests have to be in memory together, and nearly fill it.
    @Test func aBatchArrayThatFillsTheMemoryIsAnswered() throws {
        let texts = [String](repeating: #""a""#, count: 2000).joined(separator: ",")
        let request = #"{"id":1,"method":"embed","params":{"input":[\#(texts)]}}"#
        let batch = "[" + [String](repeating: request, count: 50).joined(separator: ",") + "]"
        let result = try Program.run(
            "serve", "--threads", "1", "--max-memory", "80MB",
            input: batch + "\n" + #"{"id":2,"method":"info"}"#)
        let answers = try result.lines.map { try JSONValue(parsing: Array($0.utf8)) }
        #expect(answers.count == 2)
        let items = try #require(answers.compactMap(\.array).first)
        #expect(items.count == 50)
        for item in items {
            #expect(
                item["result"]?["data"]?.array?.count == 2000
                    || item["error"]?["code"]?.int == -32004)
        }
        #expect(items.first?["result"] != nil)
    }

    /// A request that waits costs nothing while it waits, however many do.
    @Test(.enabled(if: Build.isOptimized, "the time that it takes is that of a release build"))
    func thousandsOfRequestsCostNoMoreThanTheirWork() throws {
        let (process, input, output) = try start()
        let count = 20_000
        let writer = Thread {
            for start in stride(from: 0, to: count, by: 100) {
                let lines = (start..<start + 100).map {
                    #"{"id":\#($0),"method":"embed","params":{"input":"text \#($0)"}}"# + "\n"
                }
                try? input.write(contentsOf: Data(lines.joined().utf8))
            }
        }
        writer.start()
        var answers = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while answers < count {
            let length = read(output.fileDescriptor, &buffer, buffer.count)
            try #require(length > 0)
            answers += buffer[..<length].count { $0 == 0x0A }
        }
        #expect(answers == count)
        // A second; were each looked at again for each batch it would be minutes.
        #expect(try ProcessorTime.ofProcess(process.processIdentifier) < .seconds(20))
        try input.close()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test func aTerminationSignalEndsItWithZero() throws {
        let (process, input, output) = try start()
        try input.write(contentsOf: Data(Self.request.utf8))
        _ = try readLine(output)
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == 0)
    }

    @Test func aModelTruncatedWhileMappedIsNoSilentDeath() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("model")
        try FileManager.default.copyItem(atPath: TinyModel.path, toPath: path)
        let (process, input, output) = try start(model: path)
        try input.write(contentsOf: Data(Self.request.utf8))
        #expect(try readLine(output)["result"] != nil)
        // Measuring what batches cost reads the weights too; statistics wait for its end.
        try input.write(contentsOf: Data("{\"id\":2,\"method\":\"stats\"}\n".utf8))
        #expect(try readLine(output)["result"] != nil)
        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.truncate(atOffset: 4096)
        try input.write(contentsOf: Data(Self.request.utf8))
        let answer = try readLine(output)
        #expect(answer["error"]?["code"]?.int == -32603)
        #expect(
            answer["error"]?["message"]?.string
                == "\(path): the file was changed while it was in use")
        try input.close()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    /// SIGBUS is what a truncation in the middle of a request turns into.
    @Test func aBusErrorIsExplained() throws {
        let process = Process()
        process.executableURL = TestFiles.program
        process.arguments = ["serve", "--model", TinyModel.path]
        let (input, output, errors) = (Pipe(), Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(Self.request.utf8))
        _ = try readLine(output.fileHandleForReading)
        kill(process.processIdentifier, SIGBUS)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == 74)
        let message = errors.fileHandleForReading.readDataToEndOfFile()
        #expect(
            String(decoding: message, as: UTF8.self).hasPrefix("minilm: a mapped file was trunc"))
    }

    private func start(
        model: String = TinyModel.path
    ) throws -> (process: Process, input: FileHandle, output: FileHandle) {
        try ServeSession.start(["--model", model])
    }

    private func readLine(_ file: FileHandle) throws -> JSONValue {
        try ServeSession.readLine(file)
    }
}

/// A server that a test talks to line by line.
enum ServeSession {
    static func start(
        _ arguments: [String]
    ) throws -> (process: Process, input: FileHandle, output: FileHandle) {
        let process = Process()
        process.executableURL = TestFiles.program
        process.arguments = ["serve"] + arguments
        process.environment = ProcessInfo.processInfo.environment
            .merging(["MINILM_MODEL": TinyModel.path]) { $1 }
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        return (process, input.fileHandleForWriting, output.fileHandleForReading)
    }

    static func readLine(_ file: FileHandle) throws -> JSONValue {
        var line = Data()
        while line.last != 0x0A { line += try #require(try file.read(upToCount: 1)) }
        return try JSONValue(parsing: Array(line))
    }
}
