import Foundation
import JSON
import TestSupport
import Testing

private func parse(_ text: String) throws(JSONError) -> JSONValue {
    try JSONValue(parsing: Array(text.utf8))
}

@Suite struct JSONParsing {
    @Test func everyKindOfValueParses() throws {
        let value = try parse(
            #" {"a": [null, true, false, -1, 18446744073709551615, 1.5e3, "\u00e9\n\ud83d\ude42"], "": {}} "#
        )
        #expect(
            value
                == .object([
                    .init(
                        "a",
                        .array([
                            .null, .bool(true), .bool(false), .integer(-1), .unsigned(.max),
                            .number(1500), .string("é\n🙂"),
                        ])),
                    .init("", .object([])),
                ]))
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\":1,}", "[1] 2", "nul", "01", "1.", ".5", "+1", "'a'",
        "[1]\u{0}x",
        "\u{0}", "{\"a\" 1}", "\"a\u{1}b\"", "NaN", "[Infinity]", "/*c*/1", "{a:1}", "\u{FEFF}1",
    ])
    func whatIsNotJSONIsMalformed(text: String) {
        #expect {
            try parse(text)
        } throws: { error in
            if case JSONError.malformed = error { true } else { false }
        }
    }

    @Test(
        arguments: [
            "1.7976931348623157e308", "-1.7976931348623157e308", "17976931348623157e292", "5e-324",
            "1e-400", "-0", "-0.0", "0.1", "123456789012345678901234567890", "9007199254740993",
            "18446744073709551616", "2.2250738585072011e-308",
        ])
    func numbersAreTheNearestDoubles(text: String) throws {
        let value = try #require(try parse(text).double)
        #expect(value == Double(text))
        #expect(value.sign == Double(text)?.sign)
    }

    @Test(arguments: [
        "1.8e308", "1.7976931348623159e308", "2e308", "11E+308", "101311E+308", "1e400", "-1e999",
    ])
    func numbersBeyondDoublesAreMalformed(text: String) {
        #expect {
            try parse(#"{"id":\#(text)}"#)
        } throws: { error in
            if case JSONError.malformed = error { true } else { false }
        }
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0xE2, 0x82, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22],
            Array(#""\ud800""#.utf8),
            Array(#""\udc00x""#.utf8),
        ] as [[UInt8]])
    func bytesThatAreNotUTF8AreNamed(bytes: [UInt8]) {
        #expect {
            try JSONValue(parsing: bytes)
        } throws: { error in
            if case JSONError.invalidUTF8 = error { true } else { false }
        }
    }

    @Test func aRepeatedKeyIsAnError() {
        #expect(throws: JSONError.duplicateKey("a")) { try parse(#"{"a":1,"b":2,"\u0061":3}"#) }
        let many = (0..<40).map { "\"k\($0)\":0" }.joined(separator: ",")
        #expect(throws: JSONError.duplicateKey("k7")) { try parse("{\(many),\"k7\":1}") }
        #expect(throws: Never.self) { try parse("{\(many)}") }
    }

    @Test func keysThatOnlyLookAlikeAreDifferent() throws {
        let value = try parse("{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(value["e\u{301}"] == .integer(2))
    }

    @Test func nestingIsLimited() throws {
        let deep = String(repeating: "[", count: 512) + String(repeating: "]", count: 512)
        #expect(throws: Never.self) { try parse(deep) }
        #expect(throws: JSONError.tooDeep(limit: 512)) { try parse("[" + deep + "]") }
        #expect(throws: JSONError.tooDeep(limit: 512)) {
            try parse(String(repeating: "[", count: 100_000))
        }
    }

    @Test func numbersBeyondIntegersBecomeDoubles() throws {
        #expect(try parse("18446744073709551616") == .number(18_446_744_073_709_551_616))
        #expect(try parse("-9223372036854775808") == .integer(.min))
        #expect(try parse("2.0").int == 2)
        #expect(try parse("2.5").int == nil)
    }

    static let suite = TestFiles.shared("data/json-test-suite/test_parsing")

    @Test(.enabled(if: suite != nil, "the JSON test suite is not on this machine"))
    func theJSONTestSuiteIsJudgedRightly() throws {
        let files = try FileManager.default.contentsOfDirectory(
            at: #require(Self.suite), includingPropertiesForKeys: nil)
        #expect(files.count == 318)
        for file in files {
            let bytes = Array(try Data(contentsOf: file))
            let isValid: Bool
            do throws(JSONError) {
                _ = try JSONValue(parsing: bytes)
                isValid = true
            } catch { isValid = if case .duplicateKey = error { true } else { false } }
            switch file.lastPathComponent.first {
            case "y": #expect(isValid, "\(file.lastPathComponent)")
            case "n": #expect(!isValid, "\(file.lastPathComponent)")
            default: break
            }
        }
    }
}

@Suite struct JSONWriting {
    @Test func aValueRoundTrips() throws {
        let value = JSONValue.object([
            .init("text\"\\/\u{7F}\u{0}\n", .string("é🙂\u{2028}\t")),
            .init(
                "numbers",
                .array([.integer(.min), .unsigned(.max), .number(0.1), .number(-0.0), .null])),
            .init("flags", .array([.bool(true), .array([]), .object([])])),
        ])
        var writer = JSONWriter()
        writer.value(value)
        #expect(!writer.bytes.contains(0x0A))
        #expect(try JSONValue(parsing: writer.bytes) == value)
    }

    @Test func floatsAreTheShortestThatRoundTrip() throws {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<20_000 {
            let value = Float(bitPattern: UInt32.random(in: .min ... .max, using: &generator))
            guard value.isFinite else { continue }
            var writer = JSONWriter()
            writer.number(value)
            let text = String(decoding: writer.bytes, as: UTF8.self)
            #expect(Float(text) == value)
            #expect(try JSONValue(parsing: writer.bytes).double.map { Float($0) } == value)
        }
    }

    @Test func linesAreSeparate() {
        var writer = JSONWriter()
        writer.integer(1)
        writer.endLine()
        writer.beginArray()
        writer.integer(2)
        writer.integer(3)
        writer.endArray()
        writer.endLine()
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "1\n[2,3]\n")
    }
}
