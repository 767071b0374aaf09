/// Why a text is not the JSON value that was asked for. Offsets count bytes from 0.
public enum JSONError: Error, Equatable, CustomStringConvertible {
    /// Not JSON (RFC 8259), or something follows the value.
    case malformed(offset: Int, reason: String)
    /// Bytes that are not UTF-8, or `\u` escapes of half a surrogate pair.
    case invalidUTF8(offset: Int)
    /// An object names a key twice.
    case duplicateKey(String)
    /// Arrays and objects nested beyond the limit.
    case tooDeep(limit: Int)
    /// More values than were asked for at most.
    case tooManyValues(limit: Int)

    public var description: String {
        switch self {
        case .malformed(let offset, let reason): "not JSON at byte \(offset): \(reason)"
        case .invalidUTF8(let offset): "not UTF-8 at byte \(offset)"
        case .duplicateKey(let key): "the key \"\(key)\" stands twice in one object"
        case .tooManyValues(let limit): "more than \(limit) values"
        case .tooDeep(let limit): "nested deeper than \(limit) levels"
        }
    }
}
