import JSON

/// Named parameters, read with errors that name them.
struct RPCParameters {
    private let value: JSONValue

    /// - Throws: `RPCError` −32602 for what is no object.
    init(_ value: JSONValue) throws(RPCError) {
        // Some libraries send null or an empty array where there are no parameters.
        let value = value.isNull || value == .array([]) ? .object([]) : value
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

    /// - Throws: `RPCError` −32602 for what is no integer within the range.
    func int(_ name: String, within range: ClosedRange<Int>) throws(RPCError) -> Int? {
        guard let value = value[name] else { return nil }
        guard let int = value.int, range.contains(int) else {
            throw .badParameter(
                name, "expected an integer within \(range.lowerBound) and \(range.upperBound)")
        }
        return int
    }

    func string(_ name: String) throws(RPCError) -> String? {
        guard let value = value[name] else { return nil }
        guard let string = value.string else {
            throw .badParameter(name, "\(value.typeName), expected a string")
        }
        return string
    }
}
