/// What is wrong with a safetensors file. One case a defect; none is repaired.
public enum SafetensorsError: Error, Equatable, CustomStringConvertible {
    /// The file has fewer than the 8 bytes of the header's length.
    case fileTooShort(byteCount: Int)
    case headerEmpty
    /// The header's length is over the limit that this reader accepts.
    case headerTooLarge(byteCount: UInt64, limit: Int)
    /// The file ends before its header does.
    case headerPastEnd(headerByteCount: Int, fileByteCount: Int)
    case headerNotUTF8(offset: Int)
    case headerNotJSON(String)
    /// The header is JSON, but no object, or does not begin with `{` at its first byte.
    case headerNotObject
    case duplicateKey(String)
    /// `__metadata__` is not an object of strings.
    case metadataNotStrings
    /// A tensor's entry is not exactly `dtype`, `shape` and `data_offsets` of the right types.
    case malformedEntry(tensor: String, field: String)
    case unknownDType(tensor: String, dtype: String)
    /// A dimension that is negative, no integer, or there are more than 8 of them.
    case invalidShape(tensor: String)
    /// The product of the shape and the element's size does not fit 63 bits.
    case shapeOverflow(tensor: String, shape: [Int])
    /// `data_offsets` end before they begin.
    case offsetsReversed(tensor: String)
    case offsetsPastEnd(tensor: String, end: Int, dataByteCount: Int)
    /// The offsets span another number of bytes than shape and dtype need.
    case sizeMismatch(tensor: String, expected: Int, actual: Int)
    case offsetsOverlap(tensor: String, other: String)
    /// Bytes that belong to no tensor before `tensor`, or after the last one when nil.
    case hole(beforeTensor: String?)
    case missingTensor(String)
    /// A tensor's dtype or shape is not what its reader needs.
    case unexpectedTensor(String, expected: String, actual: String)

    public var description: String {
        switch self {
        case .fileTooShort(let count): "\(count) bytes are too few for a safetensors file"
        case .headerEmpty: "the header is empty"
        case .headerTooLarge(let count, let limit):
            "the header claims \(count) bytes, more than the \(limit) that are accepted"
        case .headerPastEnd(let header, let file):
            "the header needs \(header) bytes, the file has \(file) in all: truncated"
        case .headerNotUTF8(let offset): "the header is not UTF-8 at byte \(offset)"
        case .headerNotJSON(let reason): "the header is \(reason)"
        case .headerNotObject: "the header is not a JSON object"
        case .duplicateKey(let key): "the header has the key \"\(key)\" twice"
        case .metadataNotStrings: "__metadata__ is not an object of strings"
        case .malformedEntry(let tensor, let field):
            "tensor \"\(tensor)\": \(field) is missing, unknown or of the wrong type"
        case .unknownDType(let tensor, let dtype): "tensor \"\(tensor)\": unknown dtype \(dtype)"
        case .invalidShape(let tensor): "tensor \"\(tensor)\": invalid shape"
        case .shapeOverflow(let tensor, let shape):
            "tensor \"\(tensor)\": shape \(shape) is beyond any memory"
        case .offsetsReversed(let tensor): "tensor \"\(tensor)\": data_offsets run backwards"
        case .offsetsPastEnd(let tensor, let end, let count):
            "tensor \"\(tensor)\" ends at \(end), the data at \(count): truncated"
        case .sizeMismatch(let tensor, let expected, let actual):
            "tensor \"\(tensor)\" has \(actual) bytes, its shape needs \(expected)"
        case .offsetsOverlap(let tensor, let other):
            "tensors \"\(tensor)\" and \"\(other)\" overlap"
        case .hole(let tensor):
            tensor.map { "bytes that belong to no tensor before \"\($0)\"" }
                ?? "bytes that belong to no tensor at the end"
        case .missingTensor(let tensor): "tensor \"\(tensor)\" is missing"
        case .unexpectedTensor(let tensor, let expected, let actual):
            "tensor \"\(tensor)\" is \(actual), expected \(expected)"
        }
    }
}
