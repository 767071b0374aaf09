#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Small files of the system: /proc, /sys.
package enum SystemFile {
    /// The text of a file, up to 16 KiB; nil where it cannot be read.
    package static func read(_ path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        let count = fread(&buffer, 1, buffer.count, file)
        return String(validating: buffer[..<count], as: UTF8.self)
    }
}
