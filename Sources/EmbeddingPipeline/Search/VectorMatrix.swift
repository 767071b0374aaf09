import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// All vectors of a library as one matrix in a file beside it, mapped, so that a search is one
/// matrix-vector product.
///
/// The file is a copy that can be made again at any time: what counts is in the library. A row is a
/// vector of unit length and what it belongs to, so that rows can be added at the end and changed in
/// their places; its layout is
///
///     [D] float32 · chunk id (Int64; 0: the row is free) · material id (Int64)
///
/// All numbers are little-endian, as the machines that it is mapped on are.
final class VectorMatrix {
    /// What the file holds, at its start.
    struct Header: Equatable {
        /// Of the library: `library_identity`.
        var identity: Data
        /// Of the model that made the vectors.
        var fingerprint: String
        var dimension: Int
        /// Rows, free ones included.
        var rowCount = 0
        /// The change up to which the library was followed.
        var version: Int64 = 0
        /// Whether a change to the file was begun and not ended.
        var isDirty = false
    }

    static let headerByteCount = 4096
    private static let magic = Array("minilm vectors 1".utf8)

    private(set) var path: String
    private(set) var header: Header
    private let descriptor: Int32
    private var map: UnsafeMutableRawPointer?
    private var mappedByteCount = 0
    private let isWritable: Bool

    var stride: Int { Self.stride(dimension: header.dimension) }

    /// Bytes of a row.
    static func stride(dimension: Int) -> Int { dimension * 4 + 16 }

    /// Opens a matrix.
    ///
    /// - Returns: nil when there is none, or the file is no matrix or a damaged one.
    init?(path: String, writable: Bool) {
        descriptor = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        self.path = path
        isWritable = writable
        header = Header(identity: Data(), fingerprint: "", dimension: 0)
        guard let header = readHeader(), !header.isDirty else { return nil }
        self.header = header
        guard remap() else { return nil }
    }

    /// Makes an empty one in the place of whatever stands there.
    ///
    /// - Returns: nil when the file cannot be made.
    init?(creating path: String, _ header: Header) {
        descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        self.path = path
        self.header = header
        isWritable = true
        guard write(header), remap() else { return nil }
    }

    deinit {
        if let map { munmap(map, mappedByteCount) }
        if descriptor >= 0 { close(descriptor) }
    }

    /// Whether the file at the path is still this one.
    var isCurrentFile: Bool {
        var (own, other) = (Glibc.stat(), Glibc.stat())
        guard fstat(descriptor, &own) == 0, stat(path, &other) == 0 else { return false }
        return own.st_ino == other.st_ino && own.st_dev == other.st_dev
    }

    /// Takes the place of whatever stands at a path.
    func move(to path: String) -> Bool {
        guard rename(self.path, path) == 0 else { return false }
        self.path = path
        return true
    }

    /// Lets nobody else change (or, exclusively, read) the file. Waits.
    func lock(exclusively: Bool) {
        while flock(descriptor, exclusively ? LOCK_EX : LOCK_SH) != 0 && errno == EINTR {}
    }
    func unlock() { flock(descriptor, LOCK_UN) }

    /// Reads the header anew, after others may have written.
    ///
    /// - Returns: false when the file cannot be used any more.
    func refresh() -> Bool {
        guard let header = readHeader(), !header.isDirty else { return false }
        self.header = header
        return remap()
    }

    private func readHeader() -> Header? {
        var bytes = [UInt8](repeating: 0, count: 512)
        guard pread(descriptor, &bytes, bytes.count, 0) == bytes.count,
            bytes.starts(with: Self.magic)
        else { return nil }
        func integer(_ offset: Int) -> Int64 {
            bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Int64.self) }
        }
        let dimension = Int(integer(48))
        let rowCount = Int(integer(56))
        guard (1...65_536).contains(dimension), rowCount >= 0 else { return nil }
        var status = Glibc.stat()
        let size = Self.headerByteCount + rowCount * Self.stride(dimension: dimension)
        guard fstat(descriptor, &status) == 0, Int(status.st_size) >= size else { return nil }
        let name = bytes[80..<336].prefix { $0 != 0 }
        return Header(
            identity: Data(bytes[16..<32]), fingerprint: String(decoding: name, as: UTF8.self),
            dimension: dimension, rowCount: rowCount, version: integer(64),
            isDirty: integer(72) != 0)
    }

    private func write(_ header: Header) -> Bool {
        var bytes = [UInt8](repeating: 0, count: Self.headerByteCount)
        bytes.replaceSubrange(0..<16, with: Self.magic)
        bytes.replaceSubrange(16..<32, with: header.identity.prefix(16))
        bytes.withUnsafeMutableBytes { buffer in
            buffer.storeBytes(of: Int64(header.dimension), toByteOffset: 48, as: Int64.self)
            buffer.storeBytes(of: Int64(header.rowCount), toByteOffset: 56, as: Int64.self)
            buffer.storeBytes(of: header.version, toByteOffset: 64, as: Int64.self)
            buffer.storeBytes(of: header.isDirty ? 1 : 0, toByteOffset: 72, as: Int64.self)
        }
        for (i, byte) in header.fingerprint.utf8.prefix(255).enumerated() { bytes[80 + i] = byte }
        return pwrite(descriptor, bytes, bytes.count, 0) == bytes.count
    }

    private func remap() -> Bool {
        if let map { munmap(map, mappedByteCount) }
        map = nil
        mappedByteCount = header.rowCount * stride
        guard mappedByteCount > 0 else { return true }
        let length = mappedByteCount + Self.headerByteCount
        let mapped = mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else { return false }
        (map, mappedByteCount) = (mapped, length)
        return true
    }

    /// A row as it is written: a vector of unit length, and what it belongs to.
    struct Row {
        var chunkID: Int64
        var materialID: Int64
        /// `[D]`; of a free row anything.
        var vector: [Float]
    }

    /// Changes rows and adds others, so that the matrix is as the library at a version.
    ///
    /// - Returns: false when the file could not be written; it is not to be used then.
    func update(
        _ changed: [(index: Int, row: Row)], adding added: [Row], version: Int64
    ) -> Bool {
        guard isWritable else { return false }
        var next = header
        next.isDirty = true
        guard write(next) else { return false }
        for (index, row) in changed {
            guard write([row], at: index) else { return false }
        }
        guard write(added, at: header.rowCount) else { return false }
        // Only what is complete may look complete after a power failure.
        guard fdatasync(descriptor) == 0 else { return false }
        next.rowCount += added.count
        next.version = version
        next.isDirty = false
        guard write(next) else { return false }
        header = next
        return remap()
    }

    private func write(_ rows: [Row], at index: Int) -> Bool {
        guard !rows.isEmpty else { return true }
        var bytes = [UInt8](repeating: 0, count: rows.count * stride)
        bytes.withUnsafeMutableBytes { buffer in
            for (i, row) in rows.enumerated() {
                let start = i * stride
                for (j, element) in row.vector.prefix(header.dimension).enumerated() {
                    buffer.storeBytes(of: element, toByteOffset: start + j * 4, as: Float.self)
                }
                let end = start + header.dimension * 4
                buffer.storeBytes(of: row.chunkID, toByteOffset: end, as: Int64.self)
                buffer.storeBytes(of: row.materialID, toByteOffset: end + 8, as: Int64.self)
            }
        }
        var written = 0
        let offset = Self.headerByteCount + index * stride
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                pwrite(
                    descriptor, buffer.baseAddress! + written, bytes.count - written,
                    off_t(offset + written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            written += count
        }
        return true
    }

    /// The rows; nil for a matrix of none.
    var rows: UnsafeRawPointer? {
        map.map { UnsafeRawPointer($0) + Self.headerByteCount }
    }

    func chunkID(_ row: Int) -> Int64 { identifier(row, 0) }
    func materialID(_ row: Int) -> Int64 { identifier(row, 8) }

    private func identifier(_ row: Int, _ offset: Int) -> Int64 {
        guard let rows else { return 0 }
        return rows.loadUnaligned(
            fromByteOffset: row * stride + header.dimension * 4 + offset, as: Int64.self)
    }

    /// Gives back the memory of rows that were read: their pages stay in the system's cache.
    func release(_ range: Range<Int>) {
        guard let map else { return }
        let page = 4096
        let start = (Self.headerByteCount + range.lowerBound * stride) / page * page
        let end = (Self.headerByteCount + range.upperBound * stride) / page * page
        if end > start { madvise(map + start, end - start, MADV_DONTNEED) }
    }
}
