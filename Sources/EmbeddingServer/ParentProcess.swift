import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The process that spawned this one.
///
/// Its death normally ends the input. Where another process inherited the pipe's other end, the
/// input stays open for ever and nobody writes to it.
struct ParentProcess {
    private let id = getppid()
    /// Whether the input is a pipe or a socket, which a dead parent may leave open.
    let isWatched: Bool

    init(input: FileDescriptor) {
        var status = stat()
        let isKnown = fstat(input.rawValue, &status) == 0
        let kind = status.st_mode & S_IFMT
        isWatched = isKnown && (kind == S_IFIFO || kind == S_IFSOCK) && id > 1
    }

    var isGone: Bool { getppid() != id }
}
