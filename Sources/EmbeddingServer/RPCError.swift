import JSON

/// An error of the protocol, with its JSON-RPC code.
struct RPCError: Error, Equatable {
    var code: Int
    var message: String
    var data: [JSONValue.Member] = []

    static func notJSON(_ error: JSONError) -> RPCError {
        // RFC 8259 allows repeated keys; what they would mean here nobody can say.
        if case .duplicateKey = error { return .notRequest(error.description) }
        return RPCError(code: -32700, message: "the line is \(error)")
    }

    static func notRequest(_ reason: String) -> RPCError {
        RPCError(code: -32600, message: "not a request: \(reason)")
    }

    static func noMethod(_ name: String, known: [String]) -> RPCError {
        RPCError(
            code: -32601, message: "no such method",
            data: [
                .init("method", .string(name)),
                .init("known", .array(known.map(JSONValue.string))),
            ])
    }

    static func badParameter(_ name: String, _ reason: String) -> RPCError {
        RPCError(
            code: -32602, message: "\(name): \(reason)", data: [.init("param", .string(name))])
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
}
