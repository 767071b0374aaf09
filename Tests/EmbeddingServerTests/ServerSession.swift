import EmbeddingEngine
import EmbeddingServer
import Foundation
import JSON
import Logging
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// A server on a thread of its own, and a host that talks to it through pipes.
final class ServerSession: Sendable {
    private let input: FileDescriptor
    private let output: FileDescriptor
    private let end: Monitor<Result<Server.End, Server.Failure>?>
    private let rest = Mutex<[UInt8]>([])

    init(_ embedder: Embedder, limits: Server.Limits = .init()) throws {
        let (requests, answers) = (try FileDescriptor.pipe(), try FileDescriptor.pipe())
        (input, output) = (requests.writeEnd, answers.readEnd)
        let end = Monitor<Result<Server.End, Server.Failure>?>(nil)
        self.end = end
        Thread.detachNewThread {
            let server = Server(
                embedder, input: requests.readEnd, output: answers.writeEnd, limits: limits,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                isStopping: { false })
            let result = Result { () throws(Server.Failure) in try server.run() }
            try? requests.readEnd.close()
            try? answers.writeEnd.close()
            end.withLock { $0 = result }
            end.notifyAll()
        }
    }

    func send(_ lines: String...) throws {
        for line in lines { _ = try input.writeAll((line + "\n").utf8) }
    }

    /// The next line; nil at the end.
    func receive() throws -> JSONValue? {
        while true {
            let line = rest.withLock { rest -> [UInt8]? in
                guard let end = rest.firstIndex(of: 0x0A) else { return nil }
                defer { rest.removeFirst(end + 1) }
                return Array(rest[..<end])
            }
            if let line { return try JSONValue(parsing: line) }
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            let count = try buffer.withUnsafeMutableBytes { try output.read(into: $0) }
            if count == 0 { return nil }
            rest.withLock { $0 += buffer[..<count] }
        }
    }

    /// The lines up to the answer of a request, that one included.
    func receive(until id: JSONValue) throws -> [JSONValue] {
        var lines: [JSONValue] = []
        while let line = try receive() {
            lines.append(line)
            if line["id"] == id { return lines }
        }
        Issue.record("no answer to \(id)")
        return lines
    }

    func closeInput() throws { try input.close() }
    func closeOutput() throws { try output.close() }

    /// How the server ended; nil when it hangs.
    func wait() throws -> Server.End? { try end.wait(timeout: .seconds(600)) { $0 }?.get() }

    /// Ends the input and returns all that is still to come.
    func finish() throws -> [JSONValue] {
        try closeInput()
        var lines: [JSONValue] = []
        while let line = try receive() { lines.append(line) }
        #expect(try wait() == .endOfInput)
        return lines
    }
}

func code(_ answer: JSONValue) -> Int? { answer["error"]?["code"]?.int }
