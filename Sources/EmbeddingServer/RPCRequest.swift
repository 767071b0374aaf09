import JSON

/// One JSON-RPC 2.0 call.
struct RPCRequest {
    /// A string, a number or null; nil for a notification, which is not answered.
    var id: JSONValue?
    var method: String
    var params: RPCParameters

    /// - Throws: `RPCError` −32600 or −32602.
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
        params = try RPCParameters(value["params"] ?? .object([]))
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

/// Named parameters, read with errors that name them.
struct RPCParameters {
    private let value: JSONValue

    init(_ value: JSONValue) throws(RPCError) {
        guard case .object = value else {
            throw .badParameter("params", "\(value.typeName), expected an object")
        }
        self.value = value
    }

    subscript(name: String) -> JSONValue? { value[name] }

    /// - Throws: `RPCError` −32602 for the first name that is not in `known`.
    func checkNames(_ known: Set<String>) throws(RPCError) {
        guard let unknown = value.members?.first(where: { !known.contains($0.key) }) else { return }
        throw .badParameter(
            unknown.key, "unknown, expected one of \(known.sorted().joined(separator: ", "))")
    }

    func bool(_ name: String, default standard: Bool) throws(RPCError) -> Bool {
        guard let value = value[name] else { return standard }
        guard let bool = value.bool else {
            throw .badParameter(name, "\(value.typeName), expected true or false")
        }
        return bool
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, default standard: Choice
    ) throws(RPCError) -> Choice where Choice.RawValue == String {
        guard let value = value[name] else { return standard }
        guard let choice = value.string.flatMap(Choice.init(rawValue:)) else {
            let names = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
            throw .badParameter(name, "expected \(names)")
        }
        return choice
    }
}
