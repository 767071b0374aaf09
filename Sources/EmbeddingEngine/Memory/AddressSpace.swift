import Transformer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The process's address space, which `ulimit -v` (RLIMIT_AS) may bound.
enum AddressSpace {
    /// What a thread that computes may reserve: the C library's arena (64 MiB), its stack, room for
    /// activations, and for OpenBLAS what it reserves itself (128 MiB on x86-64). Where OpenBLAS cannot
    /// have that it waits for ever, so it must not be asked.
    static func byteCountPerWorker(_ backend: Backend) -> Int {
        switch backend {
        case .openblas: 208 << 20
        case .simd: 80 << 20
        }
    }

    /// Whether so many bytes could be reserved now.
    static func hasRoom(for byteCount: Int) -> Bool {
        let address = mmap(
            nil, byteCount, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let address, address != MAP_FAILED else { return false }
        munmap(address, byteCount)
        return true
    }
}
