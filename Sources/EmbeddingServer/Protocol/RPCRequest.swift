import JSON

/// One JSON-RPC 2.0 call.
struct RPCRequest {
    /// A string, a number or null; nil for a notification, which is not answered.
    var id: JSONValue?
    var method: String
    /// Not looked at yet.
    var params: JSONValue

    /// - Throws: `RPCError` −32600.
    init(_ value: JSONValue) throws(RPCError) {
        guard case .object = value else {
            throw .notRequest("\(value.typeName), expected an object")
        }
        if let version = value["jsonrpc"], version != .string("2.0") {
            throw .notRequest("jsonrpc is not \"2.0\"")
        }
        id = value["id"]
        guard Self.isValidID(id) else { throw .notRequest("id is neither a string nor a number") }
        guard let method = value["method"]?.string else {
            throw .notRequest("method is missing or no string")
        }
        self.method = method
        self.params = value["params"] ?? .null
    }

    /// The id of a value that may be no valid request, for the answer that says so.
    static func id(of value: JSONValue) -> JSONValue {
        guard let id = value["id"], isValidID(id) else { return .null }
        return id
    }

    private static func isValidID(_ id: JSONValue?) -> Bool {
        switch id {
        case nil, .null, .string, .integer, .unsigned, .number: true
        case .bool, .array, .object: false
        }
    }
}
