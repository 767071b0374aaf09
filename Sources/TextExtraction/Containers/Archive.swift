import CLibArchive
import SystemPackage

/// The files in a ZIP archive that text is made of, unpacked in memory and never on disk.
struct Archive {
    /// The names of all files, in the order of the archive.
    private(set) var names: [String] = []
    private var contents: [String: [UInt8]] = [:]

    /// A file's bytes; nil where it is not there or was not asked for.
    subscript(name: String) -> [UInt8]? { contents[name] }

    /// Reads an archive.
    ///
    /// - Parameter isWanted: whether a file is unpacked, by its name; the others are passed over.
    /// - Throws: `ExtractionError`: damaged, encrypted, unpacks to too much, unsafe names.
    init(
        _ file: SourceFile, _ mediaType: MediaType, _ limits: ExtractionLimits,
        _ deadline: Deadline, isWanted: (String) -> Bool
    ) throws(ExtractionError) {
        guard try Self.hasDirectory(file) else {
            throw .damaged(mediaType, reason: "it ends too early: its directory is not there")
        }
        let archive = try Libraries.archive.loaded()
        guard let reader = archive.archive_read_new() else { throw .unreadable(.noMemory) }
        defer { _ = archive.archive_read_free(reader) }
        _ = archive.archive_read_support_format_zip(reader)
        do { try file.descriptor.seek(offset: 0, from: .start) } catch {
            throw ExtractionError(error as? Errno ?? .ioError)
        }
        guard archive.archive_read_open_fd(reader, file.descriptor.rawValue, 1 << 16) == ARCHIVE_OK
        else {
            throw Self.damage(archive, reader, mediaType)
        }
        var left = limits.unpackedByteCount
        while true {
            var entry: OpaquePointer?
            let status = archive.archive_read_next_header(reader, &entry)
            if status == ARCHIVE_EOF { break }
            guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else {
                throw Self.damage(archive, reader, mediaType)
            }
            try deadline.check()
            guard names.count < limits.archiveEntryCount else {
                throw .tooManyEntries(limit: limits.archiveEntryCount)
            }
            guard let name = Self.name(archive, entry) else {
                throw .damaged(mediaType, reason: "a file in it has no name")
            }
            guard Self.isSafe(name) else { throw .unsafeArchivePath }
            names.append(name)
            guard isWanted(name) else { continue }
            guard archive.archive_entry_is_encrypted(entry) == 0 else { throw .encrypted }
            contents[name] = try Self.unpack(
                archive, reader, mediaType, limits, &left, deadline)
        }
        if archive.archive_read_has_encrypted_entries(reader) == 1, contents.isEmpty {
            throw .encrypted
        }
    }

    /// Whether the archive's own directory stands at its end. Without it the library would read what
    /// is there, and nobody would know what is not.
    private static func hasDirectory(_ file: SourceFile) throws(ExtractionError) -> Bool {
        // The longest comment behind it has 64 KiB.
        try file.end((1 << 16) + 22).firstRange(of: [0x50, 0x4B, 0x05, 0x06]) != nil
    }

    private static func name(_ archive: archive_functions, _ entry: OpaquePointer) -> String? {
        if let name = archive.archive_entry_pathname_utf8(entry) { return String(cString: name) }
        return archive.archive_entry_pathname(entry).map { String(cString: $0) }
    }

    /// Whether a name stays in the archive. Nothing is written by it; who packs such names means
    /// harm all the same.
    private static func isSafe(_ name: String) -> Bool {
        !name.hasPrefix("/") && !name.contains("\\..")
            && !name.split(separator: "/").contains("..")
    }

    private static func unpack(
        _ archive: archive_functions, _ reader: OpaquePointer, _ mediaType: MediaType,
        _ limits: ExtractionLimits,
        _ left: inout Int, _ deadline: Deadline
    ) throws(ExtractionError) -> [UInt8] {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = block.withUnsafeMutableBytes { buffer in
                archive.archive_read_data(reader, buffer.baseAddress, buffer.count)
            }
            guard count >= 0 else { throw damage(archive, reader, mediaType) }
            if count == 0 { return bytes }
            guard count <= left else { throw .unpacksTooLarge(limit: limits.unpackedByteCount) }
            left -= count
            bytes += block[..<count]
            try deadline.check()
        }
    }

    private static func damage(
        _ archive: archive_functions, _ reader: OpaquePointer, _ mediaType: MediaType
    ) -> ExtractionError {
        let message = archive.archive_error_string(reader).map { String(cString: $0) } ?? ""
        // The library's own words, cut where names of files might follow.
        let reason = message.prefix { $0 != "'" && $0 != "\"" && $0 != "(" }
        if message.contains("ncrypt") || message.contains("assphrase") { return .encrypted }
        return .damaged(
            mediaType, reason: reason.isEmpty ? "not readable" : String(reason).trimmedEnd)
    }
}

extension String {
    fileprivate var trimmedEnd: String { String(trimmed) }
}
