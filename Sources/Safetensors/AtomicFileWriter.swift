import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Writes a file that appears whole or not at all: into a temporary neighbour, synced, then
/// renamed.
///
/// A writer that is dropped, or a process that is killed, leaves the old file as it was.
public final class AtomicFileWriter {
    public let path: String
    private let temporaryPath: String
    private let descriptor: FileDescriptor
    private var isOpen = true
    private var buffer: [UInt8] = []
    /// Where in the file the buffer begins.
    private var offset = 0
    /// Linux keeps what is written in whole blocks of this size in pages of it, where the file system
    /// has such, and maps them as they are: reading them then takes a five hundredth of the address
    /// translations.
    private static let blockSize = 1 << 21
    /// Tells apart the writers of one process.
    private static let count = Atomic<Int>(0)

    /// - Throws: `FileError`: the directory does not exist or cannot be written, or `path` is
    ///   something else than a regular file.
    public init(path: String) throws(FileError) {
        let target = try Self.target(path)
        self.path = target.path
        let number = Self.count.wrappingAdd(1, ordering: .relaxed).newValue
        let temporary = FilePath(target.path).removingLastComponent()
            .appending(".minilm-\(getpid())-\(number).partial")
        temporaryPath = temporary.string
        // What a killed process of the same number left behind is in the way; exclusive creation
        // then follows no link.
        unlink(temporaryPath)
        do {
            descriptor = try FileDescriptor.open(
                temporary, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: FilePermissions(rawValue: 0o666))
        } catch {
            throw FileError(
                path: path, reason: .system(error as? Errno ?? .ioError), isWriting: true)
        }
        // A file that takes another's place takes its permissions too.
        if let mode = target.mode { fchmod(descriptor.rawValue, mode & 0o777) }
    }

    /// Where the file really goes, through symbolic links, and the mode of the file that is there.
    private static func target(_ path: String) throws(FileError) -> (path: String, mode: mode_t?) {
        func failure(_ reason: FileError.Reason) -> FileError {
            FileError(path: path, reason: reason, isWriting: true)
        }
        guard FilePath(path).lastComponent?.kind == .regular, path.utf8.last != UInt8(ascii: "/")
        else { throw failure(.system(path.isEmpty ? .noSuchFileOrDirectory : .isDirectory)) }
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT, lstat(path, &status) != 0 else {
                throw failure(.system(Errno(rawValue: errno == 0 ? ENOENT : errno)))
            }
            return (path, nil)
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw failure(.system(.isDirectory))
        default: throw failure(.notRegular)
        }
        guard let real = realpath(path, nil) else {
            throw failure(.system(Errno(rawValue: errno)))
        }
        defer { free(real) }
        return (String(cString: real), status.st_mode)
    }

    deinit { discard() }

    /// Removes what was written; the file at `path` stays as it was.
    public func discard() {
        guard isOpen else { return }
        isOpen = false
        close(descriptor.rawValue)
        unlink(temporaryPath)
    }

    /// - Throws: `FileError`, for example when the disk is full.
    public func write(_ bytes: some Sequence<UInt8>) throws(FileError) {
        buffer.append(contentsOf: bytes)
        try writeBlocks()
    }

    /// The same in pieces, for what is large.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        var rest = bytes
        while !rest.isEmpty {
            let room = Self.blockSize - (offset + buffer.count) % Self.blockSize
            buffer.append(contentsOf: rest.prefix(room))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(room))
            try writeBlocks()
        }
    }

    /// Overwrites bytes that were written before.
    public func overwrite(_ bytes: [UInt8], at offset: Int64) throws(FileError) {
        try flush()
        try check { _ = try descriptor.writeAll(toAbsoluteOffset: offset, bytes) }
    }

    /// Makes the file durable and puts it in its place.
    public func commit() throws(FileError) {
        try flush()
        guard fsync(descriptor.rawValue) == 0, rename(temporaryPath, path) == 0 else {
            throw FileError(
                path: path, reason: .system(Errno(rawValue: errno)), isWriting: true)
        }
        isOpen = false
        close(descriptor.rawValue)
        let directory = FilePath(path).removingLastComponent().string
        let parent = open(directory.isEmpty ? "." : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if parent >= 0 {
            fsync(parent)
            close(parent)
        }
    }

    /// Writes the blocks of the file that are whole.
    private func writeBlocks() throws(FileError) {
        let end = (offset + buffer.count) / Self.blockSize * Self.blockSize
        if end > offset { try write(first: end - offset) }
    }

    private func flush() throws(FileError) {
        if !buffer.isEmpty { try write(first: buffer.count) }
    }

    private func write(first count: Int) throws(FileError) {
        try check { _ = try descriptor.writeAll(buffer[..<count]) }
        offset += count
        if count == buffer.count {
            buffer.removeAll(keepingCapacity: true)
        } else {
            buffer.removeFirst(count)
        }
    }

    private func check(_ body: () throws -> Void) throws(FileError) {
        do { try body() } catch {
            throw FileError(
                path: path, reason: .system(error as? Errno ?? .ioError), isWriting: true)
        }
    }
}
