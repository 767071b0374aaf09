import CLibCSV

/// CSV and TSV, by libcsv: a line a record, each value with the name of its column, so that a
/// record can be found and understood alone.
enum DelimitedTextExtractor {
    static func extract(
        _ text: String, _ type: MediaType, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        let csv = try Libraries.csv.loaded()
        var parser = csv_parser()
        guard csv.csv_init(&parser, UInt8(CSV_APPEND_NULL)) == 0 else {
            throw .unreadable(.noMemory)
        }
        defer { csv.csv_free(&parser) }
        var text = text
        let delimiter =
            type == .tsv ? UInt8(ascii: "\t") : text.withUTF8 { mostFrequentDelimiter(in: $0) }
        csv.csv_set_delim(&parser, delimiter)
        let table = Table(DocumentBuilder(maximumByteCount: limits.textByteCount))
        let user = Unmanaged.passUnretained(table).toOpaque()
        let isWhole = text.withUTF8 { utf8 in
            feed(csv, utf8, &parser, table, user, deadline)
        }
        guard isWhole else { throw table.failure ?? .damaged(type, reason: "not readable as such") }
        _ = csv.csv_fini(&parser, addField, endRecord, user)
        try table.finish()
        return table.builder.extractedText(type)
    }

    /// A line a step: a record is over when the line is that it ends in, so its lines are known.
    private static func feed(
        _ csv: csv_functions, _ utf8: UnsafeBufferPointer<UInt8>, _ parser: inout csv_parser,
        _ table: Table, _ user: UnsafeMutableRawPointer, _ deadline: Deadline
    ) -> Bool {
        var start = 0
        while start < utf8.count {
            let end = utf8[start...].firstIndex(of: 0x0A).map { $0 + 1 } ?? utf8.count
            table.line += 1
            let line = UnsafeBufferPointer(rebasing: utf8[start..<end])
            guard
                csv.csv_parse(&parser, line.baseAddress, line.count, addField, endRecord, user)
                    == line.count, table.failure == nil
            else { return false }
            start = end
            if table.line & 0xFFF == 0 {
                do throws(ExtractionError) { try deadline.check() } catch {
                    table.failure = error
                    return false
                }
            }
        }
        return true
    }

    /// The delimiter that is most frequent in the first line, outside of quotes.
    private static func mostFrequentDelimiter(in utf8: UnsafeBufferPointer<UInt8>) -> UInt8 {
        var counts: [UInt8: Int] = [:]
        var isQuoted = false
        for byte in utf8.prefix(1 << 16) {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if isQuoted { continue }
            if byte == 0x0A { break }
            if ",;\t|".utf8.contains(byte) { counts[byte, default: 0] += 1 }
        }
        let best = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
        return best?.key ?? UInt8(ascii: ",")
    }

    /// The records as libcsv tells them.
    private final class Table {
        var builder: DocumentBuilder
        var line = 0
        var failure: ExtractionError?
        private var fields: [String] = []
        private var header: [String] = []
        private var firstLine = 1

        init(_ builder: DocumentBuilder) { self.builder = builder }

        func add(_ field: String) { fields.append(field.onOneLine) }

        func end() {
            defer {
                fields = []
                firstLine = line + 1
            }
            if fields.allSatisfy(\.isEmpty) { return }
            if header.isEmpty, isHeader(fields) {
                header = fields
                return
            }
            if header.isEmpty { header = [""] }
            append(fields.enumerated().compactMap(named).joined(separator: "; "))
        }

        /// A table of a header alone is text too.
        func finish() throws(ExtractionError) {
            if let failure { throw failure }
            if !builder.hasText, header != [""] {
                try builder.append(header.joined(separator: "; "), lines: 1...max(1, line))
            }
        }

        private func append(_ text: String) {
            let lines = min(firstLine, line)...max(firstLine, line)
            do throws(ExtractionError) { try builder.append(text, .row, lines: lines) } catch {
                failure = error
            }
        }

        private func named(_ index: Int, _ field: String) -> String? {
            if field.isEmpty { return nil }
            let name = index < header.count ? header[index] : ""
            return name.isEmpty ? field : "\(name): \(field)"
        }

        /// Names of columns are words: a first line with numbers in it is a record.
        private func isHeader(_ fields: [String]) -> Bool {
            fields.count > 1 && Set(fields).count == fields.count
                && fields.allSatisfy { !$0.isEmpty && Double($0) == nil && $0.utf8.count < 64 }
        }
    }

    private static let addField:
        @convention(c) (UnsafeMutableRawPointer?, Int, UnsafeMutableRawPointer?) -> Void = {
            field, count, user in
            guard let user else { return }
            let bytes = UnsafeRawBufferPointer(start: field, count: field == nil ? 0 : count)
            Unmanaged<Table>.fromOpaque(user).takeUnretainedValue()
                .add(String(decoding: bytes, as: UTF8.self))
        }

    private static let endRecord: @convention(c) (Int32, UnsafeMutableRawPointer?) -> Void = {
        _, user in
        guard let user else { return }
        Unmanaged<Table>.fromOpaque(user).takeUnretainedValue().end()
    }
}
