import JSON
import Safetensors
import Testing

/// Every defect of a header has its own error, and none gets through.
struct HeaderDefectTests {
    struct Defect: Sendable, CustomTestStringConvertible {
        var name: String
        var bytes: [UInt8]
        var error: SafetensorsError

        init(_ name: String, _ bytes: [UInt8], _ error: SafetensorsError) {
            self.name = name
            self.bytes = bytes
            self.error = error
        }

        init(_ name: String, _ header: String, data: Int = 4, _ error: SafetensorsError) {
            self.init(name, fileBytes(header, dataByteCount: data), error)
        }

        var testDescription: String { name }
    }

    @Test(arguments: 0...7)
    func lengthThatIsCutOffIsTooShort(byteCount: Int) {
        #expect(throws: SafetensorsError.fileTooShort(byteCount: byteCount)) {
            try parse([UInt8](repeating: 0, count: byteCount))
        }
    }

    static let lengths = [
        Defect("empty header", fileBytes(""), .headerEmpty),
        Defect("empty header before data", fileBytes("", dataByteCount: 8), .headerEmpty),
        Defect(
            "a byte more than the file has", fileBytes(header: [0x7B, 0x7D], length: 3),
            .headerPastEnd(headerByteCount: 11, fileByteCount: 10)),
        Defect(
            "the limit in a short file", fileBytes(header: [0x7B, 0x7D], length: 1 << 20),
            .headerPastEnd(headerByteCount: 8 + 1 << 20, fileByteCount: 10)),
        Defect(
            "a byte over the limit", fileBytes(header: [0x7B, 0x7D], length: 1 << 20 + 1),
            .headerTooLarge(byteCount: 1 << 20 + 1, limit: 1 << 20)),
        Defect(
            "a byte over the limit that the file has",
            fileBytes(header: [UInt8](repeating: 0x20, count: 1 << 20 + 1)),
            .headerTooLarge(byteCount: 1 << 20 + 1, limit: 1 << 20)),
        Defect(
            "Int64.max", fileBytes(header: [0x7B, 0x7D], length: UInt64(Int64.max)),
            .headerTooLarge(byteCount: UInt64(Int64.max), limit: 1 << 20)),
        Defect(
            "beyond Int64", fileBytes(header: [0x7B, 0x7D], length: 1 << 63),
            .headerTooLarge(byteCount: 1 << 63, limit: 1 << 20)),
        Defect(
            "UInt64.max", fileBytes(header: [0x7B, 0x7D], length: .max),
            .headerTooLarge(byteCount: .max, limit: 1 << 20)),
    ]

    @Test(arguments: lengths)
    func lengthThatCannotBeIsRefused(_ defect: Defect) {
        #expect(throws: defect.error) { try parse(defect.bytes) }
    }

    private static func notJSON(_ offset: Int, _ reason: String) -> SafetensorsError {
        .headerNotJSON(JSONError.malformed(offset: offset, reason: reason).description)
    }

    private static let trailing = "The document root must not be followed by other values."

    static let texts = [
        Defect("begins with a space", " {}", data: 0, .headerNotObject),
        Defect("begins with a byte order mark", "\u{FEFF}{}", data: 0, .headerNotObject),
        Defect("an array", "[]", data: 0, .headerNotObject),
        Defect("a string", #""{}""#, data: 0, .headerNotObject),
        Defect("zeros", fileBytes(header: [0, 0]), .headerNotObject),
        Defect("an open object", "{", data: 0, notJSON(1, "Missing a name for object member.")),
        Defect(
            "a key alone", #"{"a"}"#, data: 0,
            notJSON(4, "Missing a colon after a name of object member.")),
        Defect("no value", #"{"a":}"#, data: 0, notJSON(5, "Invalid value.")),
        Defect("NaN", #"{"a":NaN}"#, data: 0, notJSON(5, "Invalid value.")),
        Defect("a comment", "{/**/}", data: 0, notJSON(1, "Missing a name for object member.")),
        Defect(
            "a comma at the end", "{\(entry()),}", notJSON(54, "Missing a name for object member.")),
        Defect("a second value", "{}{}", data: 0, notJSON(2, trailing)),
        Defect("a brace too many", "{}}", data: 0, notJSON(2, trailing)),
        Defect("NUL at the end", "{}\0", data: 0, notJSON(2, trailing)),
        Defect("NUL and more at the end", "{}\0{}", data: 0, notJSON(2, trailing)),
        Defect(
            "a stray byte in a name",
            fileBytes(header: Array(#"{"a"#.utf8) + [0xFF] + Array(#"":{}}"#.utf8)),
            .headerNotUTF8(offset: 3)),
        Defect(
            "an overlong slash in a name",
            fileBytes(header: Array(#"{""#.utf8) + [0xC0, 0xAF] + Array(#"":{}}"#.utf8)),
            .headerNotUTF8(offset: 2)),
        Defect(
            "a surrogate in a name",
            fileBytes(header: Array(#"{""#.utf8) + [0xED, 0xA0, 0x80] + Array(#"":{}}"#.utf8)),
            .headerNotUTF8(offset: 2)),
        Defect(
            "half an escaped surrogate pair", #"{"\ud800":{}}"#, data: 0, .headerNotUTF8(offset: 2)),
        Defect(
            "the other half of an escaped surrogate pair",
            "{\(entry(#"\udc00"#)),\(entry(#"\udc01"#, offsets: "[4,8]"))}", data: 8,
            .headerNotUTF8(offset: 9)),
        Defect(
            "nesting", #"{"a":"# + String(repeating: "[", count: 1000), data: 0,
            .headerNotJSON(JSONError.tooDeep(limit: 8).description)),
        Defect(
            "nesting to the limit of the header",
            #"{"a":"# + String(repeating: #"{"a":"#, count: 200_000), data: 0,
            .headerNotJSON(JSONError.tooDeep(limit: 8).description)),
    ]

    @Test(arguments: texts)
    func textThatIsNoObjectIsRefused(_ defect: Defect) {
        #expect(throws: defect.error) { try parse(defect.bytes) }
    }

    static let keys = [
        Defect(
            "a tensor twice", "{\(entry()),\(entry())}", .duplicateKey("t")),
        Defect(
            "a tensor twice, once escaped", "{\(entry()),\(entry(#"\u0074"#))}", .duplicateKey("t")),
        Defect(
            "metadata twice", #"{"__metadata__":{},"__metadata__":{}}"#, data: 0,
            .duplicateKey("__metadata__")),
        Defect(
            "a key of the metadata twice", #"{"__metadata__":{"a":"1","a":"2"}}"#, data: 0,
            .duplicateKey("a")),
        Defect(
            "a field twice",
            #"{"t":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            .duplicateKey("dtype")),
        Defect(
            "offsets twice",
            #"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"data_offsets":[0,4]}}"#,
            .duplicateKey("data_offsets")),
        Defect(
            "the last of many tensors again",
            "{"
                + (0..<40).map { entry("t\($0)", offsets: "[\($0 * 4),\($0 * 4 + 4)]") }
                .joined(separator: ",") + ",\(entry("t39"))}", data: 160, .duplicateKey("t39")),
    ]

    @Test(arguments: keys)
    func repeatedKeyIsRefused(_ defect: Defect) {
        #expect(throws: defect.error) { try parse(defect.bytes) }
    }

    @Test(arguments: [
        "1", "null", "[]", #""a""#, #"{"a":1}"#, #"{"a":null}"#, #"{"a":"b","c":{}}"#,
    ])
    func metadataOtherThanStringsIsRefused(_ value: String) {
        #expect(throws: SafetensorsError.metadataNotStrings) {
            try parse(fileBytes(#"{"__metadata__":\#(value)}"#))
        }
    }
}
