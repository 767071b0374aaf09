import Foundation
import JSON

extension JSONValue {
    /// A line on standard output.
    func printLine() {
        var writer = JSONWriter()
        writer.value(self)
        print(String(decoding: writer.bytes, as: UTF8.self))
    }

    static func integer(_ value: Int) -> JSONValue { .integer(Int64(value)) }

    static func optional(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

    static func optional(_ value: Int?) -> JSONValue { value.map { .integer(Int64($0)) } ?? .null }

    /// A time as ISO 8601 in UTC, to the millisecond.
    static func date(_ date: Date?) -> JSONValue {
        date.map {
            .string($0.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        }
            ?? .null
    }
}
