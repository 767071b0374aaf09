import EmbeddingServer
import Safetensors
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where bytes go: standard output, a device or pipe by name, or a file that appears only when it
/// is finished.
struct ByteSink {
    private enum Target {
        case stream(FileDescriptor)
        case file(AtomicFileWriter)
        /// A nameless file that is copied to the stream at the end, because its start is written
        /// last.
        case spool(FileDescriptor, to: FileDescriptor)
    }

    private let name: String
    private let target: Target
    private var buffer: [UInt8] = []

    init(path: String?, needsSeek: Bool) throws(CommandFailure) {
        name = path ?? "standard output"
        let stream: FileDescriptor
        if let path, path != "-" {
            var status = stat()
            let exists = stat(path, &status) == 0
            let isStandardOutput = exists && Self.isStandardOutput(status)
            let kind = status.st_mode & S_IFMT
            guard isStandardOutput || exists && kind != S_IFREG && kind != S_IFDIR else {
                do throws(FileError) { target = .file(try AtomicFileWriter(path: path)) } catch {
                    throw CommandFailure(.cannotCreate, error.description)
                }
                return
            }
            do {
                stream =
                    isStandardOutput
                    ? .standardOutput
                    : try FileDescriptor.open(
                        FilePath(path), .writeOnly, retryOnInterrupt: false)
            } catch {
                try Signals.check("while opening \(path)")
                throw CommandFailure(.cannotCreate, "\(path): \(error)")
            }
        } else {
            stream = .standardOutput
        }
        target = needsSeek ? .spool(try Self.temporaryFile(), to: stream) : .stream(stream)
    }

    /// Whether a path leads to the file that standard output is, as /dev/stdout does.
    private static func isStandardOutput(_ status: stat) -> Bool {
        var output = stat()
        return fstat(STDOUT_FILENO, &output) == 0 && output.st_dev == status.st_dev
            && output.st_ino == status.st_ino
    }

    private static func temporaryFile() throws(CommandFailure) -> FileDescriptor {
        let directory = Environment.string("TMPDIR") ?? "/tmp"
        var template = Array("\(directory)/minilm-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            throw CommandFailure(
                .cannotCreate, "\(directory): \(Errno(rawValue: errno).description)")
        }
        unlink(template)
        return FileDescriptor(rawValue: descriptor)
    }

    mutating func write(_ bytes: [UInt8]) throws(CommandFailure) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= 1 << 16 { try flush() }
    }

    mutating func flush() throws(CommandFailure) {
        let bytes = buffer
        buffer.removeAll(keepingCapacity: true)
        try check {
            switch target {
            case .stream(let stream): try stream.writeFully(bytes)
            case .spool(let file, _): try file.writeFully(bytes)
            case .file(let file): try file.write(bytes)
            }
        }
    }

    /// Replaces the first bytes of all.
    mutating func overwriteStart(_ bytes: [UInt8]) throws(CommandFailure) {
        try flush()
        try check {
            switch target {
            case .stream: preconditionFailure("made without needsSeek")
            case .spool(let file, _): try file.writeAll(toAbsoluteOffset: 0, bytes)
            case .file(let file): try file.overwrite(bytes, at: 0)
            }
        }
    }

    mutating func finish() throws(CommandFailure) {
        try flush()
        try check {
            switch target {
            case .stream: break
            case .file(let file): try file.commit()
            case .spool(let file, let stream):
                try file.seek(offset: 0, from: .start)
                try withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { block in
                    while true {
                        let count = try file.read(into: block)
                        if count == 0 { break }
                        try stream.writeFully(
                            UnsafeRawBufferPointer(rebasing: block[..<count]))
                    }
                }
            }
        }
    }

    private func check(_ body: () throws -> Void) throws(CommandFailure) {
        do { try body() } catch let error as FileError {
            throw CommandFailure(.ioError, error.description)
        } catch {
            throw CommandFailure(.ioError, "\(name): \(error)")
        }
    }
}
