#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The process's address space, which `ulimit -v` (RLIMIT_AS) may bound.
enum AddressSpace {
    /// What OpenBLAS reserves for a thread that computes (128 MiB on x86-64), the C library's arena (64), and room
    /// for activations. Where it cannot have that it waits for ever, so it must not be asked.
    static let byteCountPerWorker = 208 << 20

    /// Whether so many bytes could be reserved now.
    static func hasRoom(for byteCount: Int) -> Bool {
        let address = mmap(
            nil, byteCount, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let address, address != MAP_FAILED else { return false }
        munmap(address, byteCount)
        return true
    }
}
