import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A regular file that is open for reading, and what it was when it was opened.
package final class SourceFile {
    /// Open for reading; at no place in particular.
    let descriptor: FileDescriptor
    private let stamp: Stamp

    /// What a write changes. The time of the last status change cannot be set back by anyone.
    private struct Stamp: Equatable {
        var byteCount: Int
        var modified: [Int]
        var statusChanged: [Int]
    }

    /// - Parameter maximumByteCount: a file with more bytes is refused before it is read.
    package init(path: String, maximumByteCount: Int) throws(ExtractionError) {
        // The system's calls would see the part before a NUL.
        guard !path.utf8.contains(0) else { throw .notFound }
        // Not blocking: a FIFO must not hang the open.
        let descriptor: FileDescriptor
        do {
            descriptor = try FileDescriptor.open(
                FilePath(path), .readOnly, options: [.nonBlocking, .closeOnExec])
        } catch {
            throw ExtractionError(error as? Errno ?? .ioError)
        }
        do throws(ExtractionError) {
            stamp = try Self.stamp(of: descriptor)
            guard stamp.byteCount <= maximumByteCount else {
                throw .tooLarge(bytes: stamp.byteCount, limit: maximumByteCount)
            }
        } catch {
            close(descriptor.rawValue)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor.rawValue) }

    /// A file that has no name.
    init(owning descriptor: FileDescriptor) throws(ExtractionError) {
        do throws(ExtractionError) { stamp = try Self.stamp(of: descriptor) } catch {
            close(descriptor.rawValue)
            throw error
        }
        self.descriptor = descriptor
    }

    package var byteCount: Int { stamp.byteCount }

    /// The first bytes.
    func start(_ count: Int) throws(ExtractionError) -> [UInt8] { try part(count, at: 0) }

    /// The last bytes.
    func end(_ count: Int) throws(ExtractionError) -> [UInt8] {
        try part(count, at: max(0, stamp.byteCount - count))
    }

    private func part(_ count: Int, at offset: Int) throws(ExtractionError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: min(count, stamp.byteCount))
        let read = try read(into: &bytes, at: offset)
        bytes.removeLast(bytes.count - read)
        return bytes
    }

    /// All bytes of the file.
    ///
    /// - Parameter maximumByteCount: more are refused.
    /// - Throws: `changedWhileRead` when the file is not what it was when it was opened.
    package func read(maximumByteCount: Int = .max) throws(ExtractionError) -> [UInt8] {
        guard stamp.byteCount <= maximumByteCount else {
            throw .tooLarge(bytes: stamp.byteCount, limit: maximumByteCount)
        }
        // One more than there should be, to see the file's end.
        var bytes = [UInt8](repeating: 0, count: stamp.byteCount + 1)
        let count = try read(into: &bytes, at: 0)
        guard count == stamp.byteCount else { throw .changedWhileRead }
        try checkUnchanged()
        bytes.removeLast()
        return bytes
    }

    /// Shows all bytes, a block at a time.
    package func forEachBlock(
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(ExtractionError) {
        var block = [UInt8](repeating: 0, count: 1 << 18)
        var offset = 0
        while true {
            let count = try read(into: &block, at: offset)
            if count == 0 { break }
            block.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += count
        }
        guard offset == stamp.byteCount else { throw .changedWhileRead }
    }

    /// - Throws: `changedWhileRead` when the file is not what it was when it was opened.
    package func checkUnchanged() throws(ExtractionError) {
        guard try Self.stamp(of: descriptor) == stamp else { throw .changedWhileRead }
    }

    /// - Returns: how many bytes there were; fewer than asked for at the end of the file only.
    private func read(
        into bytes: inout [UInt8], at offset: Int
    ) throws(ExtractionError) -> Int {
        var count = 0
        while count < bytes.count {
            let read: Int
            do {
                read = try bytes.withUnsafeMutableBytes { buffer in
                    try descriptor.read(
                        fromAbsoluteOffset: Int64(offset + count),
                        into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
                }
            } catch {
                throw ExtractionError(error as? Errno ?? .ioError)
            }
            if read == 0 { break }
            count += read
        }
        return count
    }

    private static func stamp(of descriptor: FileDescriptor) throws(ExtractionError) -> Stamp {
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0 else {
            throw ExtractionError(Errno(rawValue: errno))
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notARegularFile }
        return Stamp(
            byteCount: Int(status.st_size),
            modified: [status.st_mtim.tv_sec, status.st_mtim.tv_nsec],
            statusChanged: [status.st_ctim.tv_sec, status.st_ctim.tv_nsec])
    }
}
