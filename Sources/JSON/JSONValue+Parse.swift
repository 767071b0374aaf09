import CRapidJSON

extension JSONValue {
    /// The nesting that a parse accepts when nothing else is asked for.
    public static let defaultDepthLimit = 512

    /// Parses one JSON text (RFC 8259) in UTF-8; white space may stand around it.
    ///
    /// - Parameter valueLimit: the most values, keys not counted: a tree takes many times the bytes
    ///   of a text of very short values.
    /// - Throws: `JSONError`.
    public init(
        parsing bytes: UnsafeRawBufferPointer, depthLimit: Int = defaultDepthLimit,
        valueLimit: Int = .max
    ) throws(JSONError) {
        let builder = JSONTreeBuilder(depthLimit: depthLimit, valueLimit: valueLimit)
        var offset = 0
        var reason: UnsafePointer<CChar>?
        // An empty buffer may have no address; the parser wants one.
        let status = withUnsafePointer(to: CChar(0)) { empty in
            withUnsafePointer(to: JSONTreeBuilder.callbacks) { callbacks in
                json_parse(
                    bytes.baseAddress?.assumingMemoryBound(to: CChar.self) ?? empty, bytes.count,
                    callbacks, Unmanaged.passUnretained(builder).toOpaque(), &offset, &reason)
            }
        }
        switch Int(status) {
        case json_ok: self = builder.root
        case json_stopped: throw builder.failure ?? .invalidUTF8(offset: offset)
        case json_bad_encoding: throw .invalidUTF8(offset: offset)
        default:
            throw .malformed(
                offset: offset, reason: reason.map { String(cString: $0) } ?? "unknown")
        }
    }

    /// Parses one JSON text; see ``init(parsing:depthLimit:valueLimit:)``.
    public init(
        parsing bytes: [UInt8], depthLimit: Int = defaultDepthLimit, valueLimit: Int = .max
    ) throws(JSONError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(JSONError) in
                try JSONValue(
                    parsing: buffer, depthLimit: depthLimit, valueLimit: valueLimit)
            }
        }
        self = try result.get()
    }
}

/// Builds the tree from the parser's events, without recursion.
private final class JSONTreeBuilder {
    /// An array or an object that is still open. Mutated in place: a copy an element would be
    /// quadratic.
    private struct Container {
        let isObject: Bool
        var elements: [JSONValue] = []
        var members: [JSONValue.Member] = []
        var key = ""
        /// The keys of an object that has many; few are searched one by one.
        var keys: Set<[UInt8]> = []

        /// False when the object has the key already.
        mutating func insertKey(_ name: String, _ bytes: UnsafeRawBufferPointer) -> Bool {
            key = name
            guard members.count >= 16 else {
                return !members.contains { $0.key.utf8.elementsEqual(bytes) }
            }
            if keys.isEmpty { keys = Set(members.map { Array($0.key.utf8) }) }
            return keys.insert(Array(bytes)).inserted
        }
    }

    private(set) var root = JSONValue.null
    /// Why a callback stopped the parse; nil for a string that is not UTF-8.
    private(set) var failure: JSONError?
    private var stack: [Container] = []
    private let depthLimit: Int
    private let valueLimit: Int
    private var valueCount = 0

    init(depthLimit: Int, valueLimit: Int) {
        self.depthLimit = depthLimit
        self.valueLimit = valueLimit
    }

    private func add(_ value: JSONValue) -> Int32 {
        valueCount += 1
        guard valueCount <= valueLimit else {
            failure = .tooManyValues(limit: valueLimit)
            return 0
        }
        let top = stack.count - 1
        if top < 0 {
            root = value
        } else if stack[top].isObject {
            stack[top].members.append(.init(stack[top].key, value))
        } else {
            stack[top].elements.append(value)
        }
        return 1
    }

    private func open(isObject: Bool) -> Int32 {
        guard stack.count < depthLimit else {
            failure = .tooDeep(limit: depthLimit)
            return 0
        }
        stack.append(Container(isObject: isObject))
        return 1
    }

    private func close() -> Int32 {
        let container = stack.removeLast()
        return add(container.isObject ? .object(container.members) : .array(container.elements))
    }

    private func key(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard let name = String(validating: bytes, as: UTF8.self) else { return 0 }
        guard stack[stack.count - 1].insertKey(name, bytes) else {
            failure = .duplicateKey(name)
            return 0
        }
        return 1
    }

    /// The parser lets an escaped low surrogate through that has no high one before it.
    private func string(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard let text = String(validating: bytes, as: UTF8.self) else { return 0 }
        return add(.string(text))
    }

    private static func builder(_ context: UnsafeMutableRawPointer?) -> JSONTreeBuilder {
        Unmanaged<JSONTreeBuilder>.fromOpaque(context!).takeUnretainedValue()
    }

    static let callbacks = json_handler(
        null_value: { builder($0).add(.null) },
        bool_value: { builder($0).add(.bool($1 != 0)) },
        integer_value: { builder($0).add(.integer($1)) },
        unsigned_value: { builder($0).add(.unsigned($1)) },
        double_value: { builder($0).add(.number($1)) },
        string_value: { builder($0).string(UnsafeRawBufferPointer(start: $1, count: $2)) },
        object_start: { builder($0).open(isObject: true) },
        object_key: { builder($0).key(UnsafeRawBufferPointer(start: $1, count: $2)) },
        object_end: { builder($0).close() },
        array_start: { builder($0).open(isObject: false) },
        array_end: { builder($0).close() })
}
