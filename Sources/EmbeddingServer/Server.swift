import EmbeddingEngine
import JSON
import Logging
import SystemPackage

/// JSON-RPC 2.0 over lines: a request a line in, an answer a line out.
///
/// Every line that is not blank gets exactly one answer, notifications apart; no line ends the
/// server.
public struct Server {
    public struct Limits: Sendable, Equatable {
        /// Bytes of a line; longer ones are skipped and answered with −32002.
        public var lineByteCount: Int
        /// Texts of one request, or of all requests of a batch array.
        public var textCount: Int
        /// Requests of one batch array.
        public var requestCount: Int

        public init(
            lineByteCount: Int = 64 << 20, textCount: Int = 100_000, requestCount: Int = 1000
        ) {
            self.lineByteCount = lineByteCount
            self.textCount = textCount
            self.requestCount = requestCount
        }
    }

    /// Why ``run()`` returned.
    public enum End: Equatable, Sendable {
        case endOfInput
        case shutdown
        /// `isStopping` said so.
        case stopped
        /// Nobody reads the answers any more.
        case outputClosed
    }

    private let embedder: Embedder
    private let limits: Limits
    private let output: FileDescriptor
    private let logger: Logger
    private let isStopping: @Sendable () -> Bool
    private var input: LineReader
    private var json = JSONWriter()
    /// Whether `json` holds an answer, or the last part of one.
    private var hasAnswer = false
    /// The texts of this line's requests so far.
    private var lineTextCount = 0
    private var isShutDown = false

    private static let methods = ["embed", "info", "shutdown"]

    /// - Parameters:
    ///   - output: gets protocol lines and nothing else.
    ///   - interruption: becomes readable when the server shall stop; see ``LineReader``.
    ///   - isStopping: asked between lines, and when the interruption ends the wait for one.
    public init(
        _ embedder: Embedder, input: FileDescriptor, output: FileDescriptor, limits: Limits,
        logger: Logger, interruption: FileDescriptor? = nil,
        isStopping: @escaping @Sendable () -> Bool
    ) {
        self.embedder = embedder
        self.limits = limits
        self.output = output
        self.logger = logger
        self.isStopping = isStopping
        self.input = LineReader(
            input, lineLimit: limits.lineByteCount, interruption: interruption)
    }

    /// Serves until the input ends, a client says `shutdown`, or ``isStopping``.
    ///
    /// - Throws: `Errno`: reading or writing failed for another reason than a closed pipe.
    public mutating func run() throws(Errno) -> End {
        logger.info("serving", metadata: ["model": "\(embedder.model.settings.name)"])
        while !isStopping() {
            switch try input.next() {
            case .end: return .endOfInput
            case .interrupted: continue
            case .tooLong(let count):
                logger.warning("line skipped", metadata: ["bytes": "\(count)"])
                let error = RPCError.tooLarge(
                    "max_line_bytes", count: count, limit: limits.lineByteCount)
                answer(.null, error)
            case .line(let line):
                handle(line)
            }
            guard try send() else { return .outputClosed }
            if isShutDown { return .shutdown }
        }
        return .stopped
    }

    private mutating func handle(_ line: [UInt8]) {
        lineTextCount = 0
        if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return }
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: line) } catch {
            answer(.null, .notJSON(error))
            return
        }
        guard let batch = value.array else { return handle(value) }
        guard !batch.isEmpty else { return answer(.null, .notRequest("an empty batch")) }
        guard batch.count <= limits.requestCount else {
            return answer(
                .null,
                .tooLarge("requests_per_batch", count: batch.count, limit: limits.requestCount))
        }
        json.beginArray()
        for element in batch { handle(element) }
        json.endArray()
        // A batch of notifications alone has no answer.
        if !hasAnswer { json.removeAll() }
    }

    private mutating func handle(_ value: JSONValue) {
        let request: RPCRequest
        do throws(RPCError) { request = try RPCRequest(value) } catch {
            answer(RPCRequest.id(of: value), error)
            return
        }
        var result = JSONWriter()
        do throws(RPCError) {
            try call(request, into: &result)
        } catch {
            logger.debug("request failed", metadata: ["code": "\(error.code)"])
            if let id = request.id { answer(id, error) }
            return
        }
        guard let id = request.id else { return }
        hasAnswer = true
        json.beginObject()
        json.key("jsonrpc")
        json.string("2.0")
        json.key("id")
        json.value(id)
        json.key("result")
        json.append(result)
        json.endObject()
    }

    private mutating func call(
        _ request: RPCRequest, into result: inout JSONWriter
    ) throws(RPCError) {
        switch request.method {
        case "embed":
            let method = try EmbedMethod(
                request.params, textLimit: limits.textCount, textsBefore: lineTextCount)
            lineTextCount += method.textCount
            try method.run(embedder, into: &result)
        case "info":
            InfoMethod(embedder: embedder, limits: limits).run(into: &result)
        case "shutdown":
            isShutDown = true
            result.null()
        default: throw .noMethod(request.method, known: Self.methods)
        }
    }

    private mutating func answer(_ id: JSONValue, _ error: RPCError) {
        hasAnswer = true
        json.beginObject()
        json.key("jsonrpc")
        json.string("2.0")
        json.key("id")
        json.value(id)
        json.key("error")
        json.beginObject()
        json.key("code")
        json.integer(error.code)
        json.key("message")
        json.string(error.message)
        if !error.data.isEmpty {
            json.key("data")
            json.value(.object(error.data))
        }
        json.endObject()
        json.endObject()
    }

    /// Ends the answer, if there is one, and writes it; false when nobody reads any more.
    private mutating func send() throws(Errno) -> Bool {
        guard hasAnswer else { return true }
        json.endLine()
        hasAnswer = false
        do throws(Errno) { try output.writeFully(json.bytes) } catch {
            if error == .brokenPipe { return false }
            throw error
        }
        json.removeAll()
        return true
    }
}
