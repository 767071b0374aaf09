import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension FileDescriptor {
    /// Writes all bytes, through interruptions, and waits where a host made the descriptor
    /// non-blocking.
    ///
    /// - Throws: `Errno`.
    public func writeFully(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var rest = bytes
        while !rest.isEmpty {
            do {
                rest = UnsafeRawBufferPointer(rebasing: rest[try write(rest)...])
            } catch Errno.resourceTemporarilyUnavailable {
                var waiting = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
                poll(&waiting, 1, -1)
            } catch {
                throw error as? Errno ?? .ioError
            }
        }
    }

    /// Writes all bytes; see ``writeFully(_:)-(UnsafeRawBufferPointer)``.
    public func writeFully(_ bytes: [UInt8]) throws(Errno) {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(Errno) in try writeFully(bytes) }
        }
        try result.get()
    }
}
