import CGMime
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// E-mail (RFC 5322, MIME), by GMime: subject, people, date, the message, and attachments of
/// types that text is taken from.
enum EmailExtractor {
    /// Messages and files within messages.
    private static let maximumDepth = 3

    static func extract(
        _ file: SourceFile, _ extractor: TextExtractor, _ deadline: Deadline, depth: Int
    ) throws(ExtractionError) -> ExtractedText {
        guard depth < maximumDepth else { throw .unsupported(.email) }
        let bytes = try file.read(maximumByteCount: extractor.limits.textByteCount)
        let gmime = try Libraries.gmime.loaded()
        gmime.g_mime_init()
        guard let message = parse(bytes, gmime) else {
            throw .damaged(.email, reason: "no message in it")
        }
        defer { gmime.g_object_unref(UnsafeMutableRawPointer(message)) }
        var reader = Reader(gmime, extractor, deadline, depth)
        try reader.readHeader(message)
        if let root = gmime.g_mime_message_get_mime_part(message) {
            try reader.read(root, level: 0)
        }
        guard reader.builder.hasText else { throw .noText(.email) }
        return reader.builder.extractedText(.email)
    }

    private static func parse(_ bytes: [UInt8], _ gmime: gmime_functions) -> OpaquePointer? {
        bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { characters in
                let stream = gmime.g_mime_stream_mem_new_with_buffer(
                    characters.baseAddress, characters.count)
                defer { gmime.g_object_unref(stream.map { UnsafeMutableRawPointer($0) }) }
                let parser = gmime.g_mime_parser_new_with_stream(stream)
                defer { gmime.g_object_unref(parser.map { UnsafeMutableRawPointer($0) }) }
                return gmime.g_mime_parser_construct_message(parser, nil)
            }
        }
    }

    private struct Reader {
        var builder: DocumentBuilder
        private let gmime: gmime_functions
        private let extractor: TextExtractor
        private let deadline: Deadline
        private let depth: Int
        private var partCount = 0

        init(
            _ gmime: gmime_functions, _ extractor: TextExtractor, _ deadline: Deadline, _ depth: Int
        ) {
            self.gmime = gmime
            self.extractor = extractor
            self.deadline = deadline
            self.depth = depth
            builder = DocumentBuilder(maximumByteCount: extractor.limits.textByteCount)
        }

        mutating func readHeader(
            _ message: OpaquePointer
        ) throws(ExtractionError) {
            let subject =
                gmime.g_mime_message_get_subject(message).map { String(cString: $0) } ?? ""
            builder.title = subject
            try builder.append(subject.onOneLine, .heading(level: 1))
            var lines: [String] = []
            for (name, list) in [
                ("From", gmime.g_mime_message_get_from(message)),
                ("To", gmime.g_mime_message_get_to(message)),
                ("Cc", gmime.g_mime_message_get_cc(message)),
            ] {
                guard let list, let text = gmime.internet_address_list_to_string(list, nil, 0)
                else {
                    continue
                }
                defer { gmime.g_free(text) }
                let people = String(cString: text)
                if !people.isEmpty { lines.append("\(name): \(people)") }
            }
            if let date = gmime.g_mime_message_get_date(message),
                let text = gmime.g_date_time_format(date, "%Y-%m-%d %H:%M")
            {
                defer { gmime.g_free(text) }
                lines.append("Date: \(String(cString: text))")
            }
            try builder.append(lines.joined(separator: "\n"))
        }

        mutating func read(
            _ object: OpaquePointer, level: Int
        ) throws(ExtractionError) {
            try deadline.check()
            partCount += 1
            guard level < 20, partCount < 1000 else { return }
            if isA(object, gmime.g_mime_multipart_get_type()) {
                try readParts(object, level)
            } else if isA(object, gmime.g_mime_message_part_get_type()) {
                guard let inner = gmime.g_mime_message_part_get_message(object) else { return }
                try readHeader(inner)
                if let root = gmime.g_mime_message_get_mime_part(inner) {
                    try read(root, level: level + 1)
                }
            } else if isA(object, gmime.g_mime_part_get_type()) {
                try readLeaf(object)
            }
        }

        private mutating func readParts(
            _ object: OpaquePointer, _ level: Int
        ) throws(ExtractionError) {
            let count = gmime.g_mime_multipart_get_count(object)
            let parts = (0..<max(0, count)).compactMap {
                gmime.g_mime_multipart_get_part(object, $0)
            }
            if subtype(object) == "alternative" {
                // The same several times: the plain one, else the last, which is the best.
                let plain = parts.first { type($0) == "text/plain" }
                if let best = plain ?? parts.last { try read(best, level: level + 1) }
                return
            }
            for part in parts { try read(part, level: level + 1) }
        }

        private mutating func readLeaf(
            _ object: OpaquePointer
        ) throws(ExtractionError) {
            let name = gmime.g_mime_part_get_filename(object).map { String(cString: $0) }
            let type = type(object)
            if name == nil, type == "text/plain", isA(object, gmime.g_mime_text_part_get_type()) {
                guard let decoded = gmime.g_mime_text_part_get_text(object) else { return }
                defer { gmime.g_free(decoded) }
                for paragraph in paragraphs(String(cString: decoded)) {
                    try builder.append(paragraph)
                }
                return
            }
            guard let content = gmime.g_mime_part_get_content(object) else { return }
            let suffix = type == "text/html" ? "html" : type == "text/plain" ? "txt" : "bin"
            try readFile(content, name: name, fileName: name ?? "part.\(suffix)")
        }

        /// A file in the message, as any other file. One that gives no text does not matter: the
        /// message does.
        private mutating func readFile(
            _ content: OpaquePointer, name: String?, fileName: String
        ) throws(ExtractionError) {
            // 1: closed on exec.
            let descriptor = memfd_create("part", 1)
            guard descriptor >= 0 else { return }
            let stream = gmime.g_mime_stream_fs_new(dup(descriptor))
            _ = gmime.g_mime_data_wrapper_write_to_stream(content, stream)
            _ = gmime.g_mime_stream_flush(stream)
            gmime.g_object_unref(stream.map { UnsafeMutableRawPointer($0) })
            let file = try SourceFile(owning: FileDescriptor(rawValue: descriptor))
            let text: ExtractedText
            do throws(ExtractionError) {
                text = try extractor.extract(file, name: fileName, deadline, depth: depth + 1)
            } catch {
                switch error {
                case .tookTooLong, .stopped: throw error
                default: return
                }
            }
            if let name { builder.begin(.part, named: name) }
            try builder.append(text)
            if name != nil { builder.begin(.part, named: nil) }
        }

        private func paragraphs(_ text: String) -> [String] {
            let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            return lines.split { $0.allSatisfy(\.isWhitespace) }
                .map { $0.joined(separator: "\n") }
        }

        private func isA(_ object: OpaquePointer, _ type: Int) -> Bool {
            gmime.g_type_check_instance_is_a(UnsafeMutableRawPointer(object), type) != 0
        }

        private func type(_ object: OpaquePointer) -> String {
            guard let type = gmime.g_mime_object_get_content_type(object),
                let name = gmime.g_mime_content_type_get_mime_type(type)
            else { return "" }
            defer { gmime.g_free(name) }
            return String(cString: name).lowercased()
        }

        private func subtype(_ object: OpaquePointer) -> String {
            type(object).split(separator: "/").last.map(String.init) ?? ""
        }
    }
}
