import EmbeddingEngine
import JSON

/// An error of the protocol, with its JSON-RPC code.
struct RPCError: Error, Equatable {
    var code: Int
    var message: String
    var data: [JSONValue.Member] = []

    static func notJSON(_ error: JSONError) -> RPCError {
        // RFC 8259 allows repeated keys; what they would mean here nobody can say.
        switch error {
        case .duplicateKey: return .notRequest(error.description.shortened)
        case .tooManyValues(let limit):
            return .tooLarge("max_line_values", count: limit + 1, limit: limit)
        default: break
        }
        return RPCError(code: -32700, message: "the line is \(error)")
    }

    static func notRequest(_ reason: String) -> RPCError {
        RPCError(code: -32600, message: "not a request: \(reason)")
    }

    static func noMethod(_ name: String, known: [String]) -> RPCError {
        RPCError(
            code: -32601, message: "no such method",
            data: [
                .init("method", .string(name.shortened)),
                .init("known", .array(known.map(JSONValue.string))),
            ])
    }

    static func badParameter(_ name: String, _ reason: String) -> RPCError {
        RPCError(
            code: -32602, message: "\(name.shortened): \(reason)",
            data: [.init("param", .string(name.shortened))])
    }

    static func `internal`(_ message: String) -> RPCError {
        RPCError(code: -32603, message: message)
    }

    static func tooLarge(_ what: String, count: Int, limit: Int) -> RPCError {
        RPCError(
            code: -32002, message: "\(count) is over the limit \(what) of \(limit)",
            data: [
                .init("limit", .string(what)), .init("maximum", .integer(Int64(limit))),
                .init("actual", .integer(Int64(count))),
            ])
    }

    static func textTooLong(index: Int, tokens: Int, limit: Int) -> RPCError {
        RPCError(
            code: -32003, message: "text \(index) has \(tokens) tokens, the limit is \(limit)",
            data: [
                .init("index", .integer(Int64(index))), .init("tokens", .integer(Int64(tokens))),
                .init("maximum", .integer(Int64(limit))),
            ])
    }

    static func overloaded(retryAfter seconds: Double, limit: Int) -> RPCError {
        RPCError(
            code: -32001, message: "overloaded: \(limit) requests are in work already",
            data: [
                .init("retry_after_ms", .integer(Int64((seconds * 1000).rounded(.up)))),
                .init("limit", .string("max_concurrent_requests")),
                .init("maximum", .integer(Int64(limit))),
            ])
    }

    static func outOfMemory(predicted: Int, ceiling: Int) -> RPCError {
        RPCError(
            code: -32004,
            message: "needs \(predicted) bytes, more than the memory budget of \(ceiling)",
            data: [
                .init("predicted_bytes", .integer(Int64(predicted))),
                .init("max_memory_bytes", .integer(Int64(ceiling))),
            ])
    }

    static let deadlineExceeded = RPCError(code: -32005, message: "the deadline has passed")
    static let cancelled = RPCError(code: -32800, message: "cancelled")

}

extension RPCError {
    /// What an error of the engine is in the protocol.
    init(_ error: EmbeddingError) {
        switch error {
        case .textTooLong(let index, let count, let limit):
            self = .textTooLong(index: index, tokens: count, limit: limit)
        case .maximumTokenCountOutOfRange: self = .badParameter("max_tokens", error.description)
        case .dimensionOutOfRange: self = .badParameter("dimensions", error.description)
        case .cancelled: self = .cancelled
        case .model, .file, .noThreads: self = .internal(error.description)
        }
    }

    func write(to json: inout JSONWriter) {
        json.beginObject()
        json.key("code")
        json.integer(code)
        json.key("message")
        json.string(message)
        if !data.isEmpty {
            json.key("data")
            json.value(.object(data))
        }
        json.endObject()
    }
}

extension JSONWriter {
    /// Writes the data object of an element that failed.
    mutating func failedItem(_ index: Int, _ error: RPCError) {
        beginObject()
        key("index")
        integer(index)
        key("error")
        error.write(to: &self)
        endObject()
    }
}

extension String {
    /// The text, or its beginning where it is long: what a host sent is not sent back by the
    /// megabyte.
    var shortened: String {
        utf8.count <= 100 ? self : String(unicodeScalars.prefix(100)) + "…"
    }
}
