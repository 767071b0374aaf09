import Safetensors
import Testing

/// A tensor's entry, and the places of all of them together.
struct TensorDefectTests {
    static let fields: [(entry: String, error: SafetensorsError)] = [
        (#""t":1"#, .malformedEntry(tensor: "t", field: "the entry")),
        (#""t":null"#, .malformedEntry(tensor: "t", field: "the entry")),
        (#""t":[]"#, .malformedEntry(tensor: "t", field: "the entry")),
        (#""t":{}"#, .malformedEntry(tensor: "t", field: "dtype")),
        (
            #""t":{"shape":[1],"data_offsets":[0,4]}"#,
            .malformedEntry(tensor: "t", field: "dtype")
        ),
        (
            #""t":{"dtype":"F32","data_offsets":[0,4]}"#,
            .malformedEntry(tensor: "t", field: "shape")
        ),
        (
            #""t":{"dtype":"F32","shape":[1]}"#,
            .malformedEntry(tensor: "t", field: "data_offsets")
        ),
        (
            #""t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":1}"#,
            .malformedEntry(tensor: "t", field: "extra")
        ),
        (
            #""t":{"DTYPE":"F32","shape":[1],"data_offsets":[0,4]}"#,
            .malformedEntry(tensor: "t", field: "DTYPE")
        ),
        (entry(dtype: "1"), .malformedEntry(tensor: "t", field: "dtype")),
        (entry(dtype: "null"), .malformedEntry(tensor: "t", field: "dtype")),
        (entry(dtype: #""F33""#), .unknownDType(tensor: "t", dtype: "F33")),
        (entry(dtype: #""f32""#), .unknownDType(tensor: "t", dtype: "f32")),
        (entry(dtype: #""""#), .unknownDType(tensor: "t", dtype: "")),
        (entry(dtype: #""F32\u0000""#), .unknownDType(tensor: "t", dtype: "F32\0")),
        (entry(shape: "4"), .malformedEntry(tensor: "t", field: "shape")),
        (entry(shape: "null"), .malformedEntry(tensor: "t", field: "shape")),
        (entry(shape: "{}"), .malformedEntry(tensor: "t", field: "shape")),
        (entry(shape: "[-1]"), .invalidShape(tensor: "t")),
        (entry(shape: "[-1,-1]"), .invalidShape(tensor: "t")),
        (entry(shape: "[1.5]"), .invalidShape(tensor: "t")),
        (entry(shape: "[1.0]"), .invalidShape(tensor: "t")),
        (entry(shape: "[1e0]"), .invalidShape(tensor: "t")),
        (entry(shape: "[9223372036854775808]"), .invalidShape(tensor: "t")),
        (entry(shape: "[18446744073709551617]"), .invalidShape(tensor: "t")),
        (entry(shape: "[null]"), .invalidShape(tensor: "t")),
        (entry(shape: #"["1"]"#), .invalidShape(tensor: "t")),
        (entry(shape: "[[1]]"), .invalidShape(tensor: "t")),
        (entry(shape: "[1,1,1,1,1,1,1,1,1]"), .invalidShape(tensor: "t")),
        (entry(offsets: "4"), .malformedEntry(tensor: "t", field: "data_offsets")),
        (entry(offsets: "[]"), .malformedEntry(tensor: "t", field: "data_offsets")),
        (entry(offsets: "[0]"), .malformedEntry(tensor: "t", field: "data_offsets")),
        (entry(offsets: "[0,4,4]"), .malformedEntry(tensor: "t", field: "data_offsets")),
        (entry(offsets: "[0,4,null]"), .malformedEntry(tensor: "t", field: "data_offsets")),
        (entry(offsets: "[-4,0]"), .malformedEntry(tensor: "t", field: "data_offsets")),
        (entry(offsets: "[0,-4]"), .malformedEntry(tensor: "t", field: "data_offsets")),
        (entry(offsets: "[0,4.0]"), .malformedEntry(tensor: "t", field: "data_offsets")),
        (entry(offsets: "[0.5,4]"), .malformedEntry(tensor: "t", field: "data_offsets")),
        (entry(offsets: #"["0","4"]"#), .malformedEntry(tensor: "t", field: "data_offsets")),
        (
            entry(offsets: "[0,9223372036854775808]"),
            .malformedEntry(tensor: "t", field: "data_offsets")
        ),
        (
            entry(offsets: "[0,18446744073709551620]"),
            .malformedEntry(tensor: "t", field: "data_offsets")
        ),
        (entry(offsets: "[4,0]"), .offsetsReversed(tensor: "t")),
        (entry(offsets: "[9223372036854775807,0]"), .offsetsReversed(tensor: "t")),
        (
            entry(shape: "[2]", offsets: "[0,8]"),
            .offsetsPastEnd(tensor: "t", end: 8, dataByteCount: 4)
        ),
        (entry(offsets: "[4,8]"), .offsetsPastEnd(tensor: "t", end: 8, dataByteCount: 4)),
        (
            entry(offsets: "[0,9223372036854775807]"),
            .offsetsPastEnd(tensor: "t", end: .max, dataByteCount: 4)
        ),
        (
            entry(offsets: "[9223372036854775803,9223372036854775807]"),
            .offsetsPastEnd(tensor: "t", end: .max, dataByteCount: 4)
        ),
        (entry(shape: "[2]"), .sizeMismatch(tensor: "t", expected: 8, actual: 4)),
        (entry(shape: "[0]"), .sizeMismatch(tensor: "t", expected: 0, actual: 4)),
        (entry(offsets: "[0,3]"), .sizeMismatch(tensor: "t", expected: 4, actual: 3)),
        (entry(offsets: "[4,4]"), .sizeMismatch(tensor: "t", expected: 4, actual: 0)),
        (entry(dtype: #""F64""#), .sizeMismatch(tensor: "t", expected: 8, actual: 4)),
        (entry(dtype: #""BF16""#), .sizeMismatch(tensor: "t", expected: 2, actual: 4)),
    ]

    @Test(arguments: fields)
    func entryThatIsNoTensorIsRefused(_ text: String, _ error: SafetensorsError) {
        #expect(throws: error) { try parse(fileBytes("{\(text)}", dataByteCount: 4)) }
    }

    static let overflows: [(dtype: String, shape: [Int])] = [
        // The product is 4 modulo 2^64: four bytes would pass an unchecked test.
        ("U8", [4_194_305, 4_194_305, 211_106_198_978_564]),
        ("F32", [4_194_305, 4_194_305, 211_106_198_978_564]),
        ("U8", [.max, 2]),
        ("U8", [1 << 32, 1 << 32]),
        ("U8", [1 << 62, 4]),
        ("F16", [.max]),
        ("F32", [1 << 61]),
        ("F32", [1 << 62]),
        ("F64", [1 << 60]),
        ("F32", [3_037_000_500, 3_037_000_500]),
        ("F32", [1 << 62, 1 << 62, 0]),
        ("BOOL", [.max, .max, .max, .max, .max, .max, .max, .max]),
    ]

    @Test(arguments: overflows)
    func shapeBeyondAnyMemoryIsRefused(_ dtype: String, _ shape: [Int]) {
        let header = "{\(entry(dtype: "\"\(dtype)\"", shape: "\(shape)"))}"
        #expect(throws: SafetensorsError.shapeOverflow(tensor: "t", shape: shape)) {
            try parse(fileBytes(header, dataByteCount: 4))
        }
    }

    static let places: [(offsets: [String], error: SafetensorsError)] = [
        (["[0,4]", "[0,4]"], .offsetsOverlap(tensor: "t0", other: "t1")),
        (["[0,4]", "[3,7]"], .offsetsOverlap(tensor: "t0", other: "t1")),
        (["[2,6]", "[0,4]"], .offsetsOverlap(tensor: "t1", other: "t0")),
        (["[0,4]", "[4,8]", "[6,10]"], .offsetsOverlap(tensor: "t1", other: "t2")),
        (["[1,5]", "[5,9]", "[8,12]"], .hole(beforeTensor: "t0")),
        (["[4,8]", "[8,12]"], .hole(beforeTensor: "t0")),
        (["[0,4]", "[8,12]"], .hole(beforeTensor: "t1")),
        (["[5,9]", "[0,4]", "[9,13]"], .hole(beforeTensor: "t0")),
        (["[0,4]", "[4,8]"], .hole(beforeTensor: nil)),
        ([], .hole(beforeTensor: nil)),
    ]

    @Test(arguments: places)
    func bytesOfNoneOrTwoTensorsAreRefused(_ offsets: [String], _ error: SafetensorsError) {
        let entries = offsets.enumerated().map { entry("t\($0.offset)", offsets: $0.element) }
        #expect(throws: error) {
            try parse(fileBytes("{\(entries.joined(separator: ","))}", dataByteCount: 13))
        }
    }

    @Test func emptyTensorWithinAnotherIsRefused() {
        let header = "{\(entry("a")),\(entry("b", shape: "[0]", offsets: "[2,2]"))}"
        #expect(throws: SafetensorsError.offsetsOverlap(tensor: "a", other: "b")) {
            try parse(fileBytes(header, dataByteCount: 4))
        }
    }

    @Test func emptyTensorPastTheEndIsRefused() {
        let header = "{\(entry("a")),\(entry("b", shape: "[0]", offsets: "[8,8]"))}"
        #expect(throws: SafetensorsError.offsetsPastEnd(tensor: "b", end: 8, dataByteCount: 4)) {
            try parse(fileBytes(header, dataByteCount: 4))
        }
    }
}
