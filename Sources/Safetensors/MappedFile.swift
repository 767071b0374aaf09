import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file mapped read-only, shared with every process that maps it.
///
/// A mapping outlives the file's name: replacing a file by renaming another over it is safe.
/// Writing into it, or truncating it while it is mapped, is not: what is cut off turns into SIGBUS
/// at the next access. ``checkUnchanged()`` finds that out beforehand; a truncation between the
/// check and the access is left to the process's SIGBUS handler.
// Sendable: immutable after init, and the memory is read-only.
public final class MappedFile: @unchecked Sendable {
    public let path: String
    public let bytes: UnsafeRawBufferPointer
    private let descriptor: FileDescriptor
    private let stamp: Stamp

    private struct Stamp: Equatable {
        var size: Int
        var seconds: Int
        var nanoseconds: Int
    }

    /// - Throws: `FileError`: the file cannot be opened, is not a regular file, or is empty.
    public init(path: String) throws(FileError) {
        // Not blocking: a FIFO must not hang the open.
        let descriptor: FileDescriptor
        do {
            descriptor = try FileDescriptor.open(
                FilePath(path), .readOnly, options: [.nonBlocking, .closeOnExec])
        } catch {
            throw FileError(path: path, reason: .system(error as? Errno ?? .ioError))
        }
        do throws(FileError) {
            stamp = try Self.stamp(of: descriptor, path)
            guard stamp.size > 0 else { throw FileError(path: path, reason: .empty) }
            let address = mmap(nil, stamp.size, PROT_READ, MAP_PRIVATE, descriptor.rawValue, 0)
            guard let address, address != MAP_FAILED else {
                throw FileError(path: path, reason: .system(Errno(rawValue: errno)))
            }
            bytes = UnsafeRawBufferPointer(start: address, count: stamp.size)
        } catch {
            close(descriptor.rawValue)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
        close(descriptor.rawValue)
    }

    /// - Throws: `FileError` with the reason `changed` when the file was written or truncated since
    ///   it was mapped.
    public func checkUnchanged() throws(FileError) {
        guard try Self.stamp(of: descriptor, path) == stamp else {
            throw FileError(path: path, reason: .changed)
        }
    }

    /// Asks for the part from an offset on to be mapped in large pages, where the system has it in such
    /// or has yet to read it, and for the part before it in small ones: a few of its bytes then bring
    /// few others into the process's memory.
    public func useLargePages(from offset: Int) {
        let start = min(offset, bytes.count) / Self.pageSize * Self.pageSize
        advise(0..<start, MADV_NOHUGEPAGE)
        advise(start..<bytes.count, MADV_HUGEPAGE)
    }

    /// Brings a part into memory and waits for it. Whoever reads it then does not stop at every page.
    ///
    /// What cannot be had is left to whoever reads it.
    public func load(_ range: Range<Int>) {
        // In pieces: mapping anything else waits for the one in work.
        let pieceSize = 1 << 21
        var start = range.lowerBound / Self.pageSize * Self.pageSize
        while start < range.upperBound {
            let end = min(start + pieceSize, range.upperBound)
            // MADV_POPULATE_READ of Linux 5.14, which older C libraries have no name for.
            guard advise(start..<end, 22) else { return }
            start = end
        }
    }

    private static let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

    /// - Parameter range: from the start of a page.
    @discardableResult
    private func advise(_ range: Range<Int>, _ advice: Int32) -> Bool {
        guard let base = bytes.baseAddress, !range.isEmpty else { return true }
        let address = UnsafeMutableRawPointer(mutating: base + range.lowerBound)
        return madvise(address, range.count, advice) == 0
    }

    private static func stamp(
        of descriptor: FileDescriptor, _ path: String
    ) throws(FileError) -> Stamp {
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0 else {
            throw FileError(path: path, reason: .system(Errno(rawValue: errno)))
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FileError(path: path, reason: .notRegular)
        }
        return Stamp(
            size: Int(status.st_size), seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec)
    }
}

/// Why a file cannot be used.
public struct FileError: Error, Equatable, CustomStringConvertible {
    public enum Reason: Equatable, Sendable {
        case system(Errno)
        /// A directory, a FIFO or a device.
        case notRegular
        case empty
        /// Written or truncated while it was in use.
        case changed
    }

    public var path: String
    public var reason: Reason
    /// Whether the file was to be written.
    public var isWriting: Bool

    public init(path: String, reason: Reason, isWriting: Bool = false) {
        self.path = path
        self.reason = reason
        self.isWriting = isWriting
    }

    public var description: String {
        switch reason {
        case .system(let errno): "\(path): \(errno.description)"
        case .notRegular: "\(path): not a regular file"
        case .empty: "\(path): the file is empty"
        case .changed: "\(path): the file was changed while it was in use"
        }
    }
}
