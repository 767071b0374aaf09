import ArgumentParser
import EmbeddingServer
import JSON
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where a command's texts come from.
struct TextInputOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        /// A text a line.
        case lines
        /// A JSON string a line, or an object with the text in a field.
        case jsonl
        /// A text a file.
        case file
    }

    enum InvalidUTF8: String, ExpressibleByArgument, CaseIterable {
        case error, replace
    }

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "A file of texts; may be repeated; - is standard input.", valueName: "file"))
    var input: [String] = []

    @Option(
        help: ArgumentHelp(
            "What files and standard input hold: a text a line, JSON a line, or one text a file.",
            valueName: "format"))
    var inputFormat = Format.lines

    @Option(
        help: ArgumentHelp("The member with the text in JSON lines of objects.", valueName: "name"))
    var field = "text"

    @Option(
        help: ArgumentHelp(
            "What to do with input that is not UTF-8: stop, or replace it by U+FFFD.",
            valueName: "what"))
    var invalidUtf8 = InvalidUTF8.error

    @Option(
        help: ArgumentHelp(
            "The longest line, or file with --input-format file.", valueName: "bytes"))
    var maxLineBytes = 64 << 20

    func validate() throws {
        if maxLineBytes < 1 { throw ValidationError("--max-line-bytes must be at least 1.") }
    }
}

/// One text of the input.
struct InputText {
    var text: String
    /// The `id` member of a JSON line.
    var id: JSONValue?
}

/// Texts from arguments, files or standard input, a chunk at a time, in constant memory.
struct TextInput {
    private let options: TextInputOptions
    private var arguments: ArraySlice<String>
    private var files: ArraySlice<String>
    private var current: Source?
    /// Bytes of all files, for progress; nil when one is no regular file.
    let totalByteCount: Int?
    private(set) var readByteCount = 0
    /// What is wrong after the texts that were returned last.
    private var failure: CommandFailure?

    private struct Source {
        var name: String
        var reader: LineReader
        var line = 0
        /// Where the current line and the next begin, in bytes.
        var start = 0
        var offset = 0
    }

    /// - Throws: `CommandFailure`: there is nothing to read, or a file does not exist.
    init(texts: [String], _ options: TextInputOptions) throws(CommandFailure) {
        self.options = options
        arguments = texts[...]
        var files = options.input
        if texts.isEmpty && files.isEmpty {
            files = ["-"]
            if isatty(STDIN_FILENO) == 1 {
                StandardError.print("Reading texts, one a line; end with Ctrl-D.\n")
            }
        }
        var total: Int? = texts.reduce(0) { $0 + $1.utf8.count }
        for file in files {
            let size = try Self.size(file)
            total = total.flatMap { sum in
                size.flatMap { size in
                    let (sum, overflow) = sum.addingReportingOverflow(size)
                    return overflow ? nil : sum
                }
            }
        }
        self.files = files[...]
        totalByteCount = total
    }

    /// The size of a regular file; nil for pipes and the like.
    private static func size(_ path: String) throws(CommandFailure) -> Int? {
        var status = stat()
        let result = path == "-" ? fstat(STDIN_FILENO, &status) : stat(path, &status)
        guard result == 0 else {
            throw CommandFailure(.noInput, "\(path): \(Errno(rawValue: errno).description)")
        }
        if status.st_mode & S_IFMT == S_IFDIR {
            throw CommandFailure(.dataError, "\(path): is a directory, expected a file of texts")
        }
        return status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    }

    /// The next texts: as many as are there without waiting, at most `count` and about a megabyte;
    /// none at the end. A failure comes after the texts before it.
    mutating func next(_ count: Int) throws(CommandFailure) -> [InputText] {
        if let failure { throw failure }
        var texts: [InputText] = []
        do throws(CommandFailure) { try append(count, to: &texts) } catch {
            if texts.isEmpty { throw error }
            failure = error
        }
        return texts
    }

    private mutating func append(
        _ count: Int, to texts: inout [InputText]
    ) throws(CommandFailure) {
        var bytes = 0
        while texts.count < count, bytes < 1 << 20 {
            if let argument = arguments.popFirst() {
                texts.append(InputText(text: argument))
                readByteCount += argument.utf8.count
                continue
            }
            if current == nil {
                guard let file = files.popFirst() else { break }
                if options.inputFormat == .file {
                    let text = try wholeFile(file)
                    bytes += text.utf8.count
                    texts.append(InputText(text: text))
                    continue
                }
                current = try open(file)
            }
            // Someone may wait for the vectors of what was sent so far.
            if !texts.isEmpty, current?.reader.wouldBlock() == true { break }
            guard let line = try nextLine() else { continue }
            bytes += line.count
            if let text = try parse(line) { texts.append(text) }
        }
    }

    private func open(_ path: String) throws(CommandFailure) -> Source {
        var descriptor = FileDescriptor.standardInput
        if path != "-" {
            do {
                // A FIFO without a writer waits here; a signal must end that.
                descriptor = try FileDescriptor.open(
                    FilePath(path), .readOnly, retryOnInterrupt: false)
            } catch {
                try Signals.check("while opening \(path)")
                throw CommandFailure(.noInput, "\(path): \(error)")
            }
        }
        return Source(
            name: path == "-" ? "standard input" : path,
            reader: LineReader(
                descriptor, lineLimit: options.maxLineBytes,
                interruptions: Signals.stopRequests.map { [.readable($0)] } ?? [],
                skipsLongLines: false))
    }

    /// The next line of the current source; nil at its end.
    private mutating func nextLine() throws(CommandFailure) -> [UInt8]? {
        guard current != nil else { return nil }
        let event: LineReader.Event
        do throws(Errno) { event = try current!.reader.next() } catch {
            throw CommandFailure(.ioError, "\(current!.name): \(error.description)")
        }
        switch event {
        case .line(var line):
            current!.line += 1
            current!.start = current!.offset
            current!.offset += line.count + 1
            readByteCount += line.count + 1
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            // A byte order mark is no part of the text, nor of JSON.
            if current!.line == 1, line.starts(with: [0xEF, 0xBB, 0xBF]) {
                line.removeFirst(3)
                current!.start += 3
            }
            return line
        case .tooLong(let count):
            throw CommandFailure(
                .dataError,
                "\(current!.name): line \(current!.line + 1) has \(count) bytes or more, over --max-line-bytes \(options.maxLineBytes)"
            )
        case .interrupted, .idle:
            try Signals.check("while reading \(current!.name)")
            return nil
        case .end:
            if current!.name != "standard input" { close(current!.reader.descriptor.rawValue) }
            current = nil
            return nil
        }
    }

    private mutating func wholeFile(_ path: String) throws(CommandFailure) -> String {
        let source = try open(path)
        defer { if path != "-" { close(source.reader.descriptor.rawValue) } }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(source.reader.descriptor.rawValue, &block, block.count)
            if count < 0 {
                if errno == EINTR {
                    try Signals.check("while reading \(path)")
                    continue
                }
                throw CommandFailure(.ioError, "\(path): \(Errno(rawValue: errno).description)")
            }
            if count == 0 { break }
            bytes.append(contentsOf: block[..<count])
            guard bytes.count <= options.maxLineBytes else {
                throw CommandFailure(
                    .dataError,
                    "\(path): more than --max-line-bytes \(options.maxLineBytes) bytes")
            }
        }
        readByteCount += bytes.count
        return try decode(bytes) { offset in
            let line = bytes[..<offset].reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
            return "\(path): not UTF-8 in line \(line), at byte \(offset)"
        }
    }

    /// The text of a line; nil for a blank one among JSON lines.
    private func parse(_ line: [UInt8]) throws(CommandFailure) -> InputText? {
        let name = current?.name ?? ""
        let number = current?.line ?? 0
        let start = current?.start ?? 0
        func place(_ offset: Int) -> String {
            "\(name): not UTF-8 in line \(number), at byte \(offset) of it (byte \(start + offset) of the input)"
        }
        let text = try decode(line, place)
        guard options.inputFormat == .jsonl else { return InputText(text: text) }
        if text.allSatisfy(\.isWhitespace) { return nil }
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: Array(text.utf8)) } catch {
            throw CommandFailure(.dataError, "\(name): line \(number) is \(error)")
        }
        if let text = value.string { return InputText(text: text) }
        guard let text = value[options.field]?.string else {
            throw CommandFailure(
                .dataError,
                "\(name): line \(number) is neither a string nor an object with the string \"\(options.field)\""
            )
        }
        return InputText(text: text, id: value["id"])
    }

    private func decode(
        _ bytes: [UInt8], _ message: (Int) -> String
    ) throws(CommandFailure) -> String {
        if options.invalidUtf8 == .replace { return String(decoding: bytes, as: UTF8.self) }
        do {
            let valid = try UTF8Span(validating: bytes.span)
            return String(copying: valid)
        } catch {
            throw CommandFailure(
                .dataError,
                message(error.byteOffsets.lowerBound) + "; --invalid-utf8 replace goes on")
        }
    }
}
