import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the process does on signals.
///
/// SIGINT and SIGTERM ask for an orderly end once, and end at once the second time. SIGBUS means
/// that a mapped file was truncated by someone else: nothing can go on, but the process says so.
enum Signals {
    private static let requested = Atomic<Int>(0)
    /// The write end of the pipe below.
    private static let pipeEnd = Atomic<Int32>(-1)

    /// Becomes readable with the first request, for waits that a signal must end.
    static let stopRequests: FileDescriptor? = {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        pipeEnd.store(ends[1], ordering: .releasing)
        return FileDescriptor(rawValue: ends[0])
    }()

    static var isStopRequested: Bool { requested.load(ordering: .relaxed) != 0 }

    static func install() {
        _ = stopRequests
        // A file that may not grow any more is an error of the write that meets it.
        signal(SIGXFSZ, SIG_IGN)
        handle(SIGINT) { signal in Signals.request(signal) }
        handle(SIGTERM) { signal in Signals.request(signal) }
        handle(SIGBUS) { _ in
            let message: StaticString =
                "minilm: a mapped file was truncated while it was in use; restart with an intact file\n"
            _ = write(STDERR_FILENO, message.utf8Start, message.utf8CodeUnitCount)
            _exit(74)
        }
    }

    /// Lets writes to a closed pipe fail instead of ending the process.
    static func ignorePipeSignal() { signal(SIGPIPE, SIG_IGN) }

    private static func request(_ signal: Int32) {
        let number = errno
        defer { errno = number }
        if requested.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { _exit(128 + signal) }
        var byte: UInt8 = 1
        _ = write(pipeEnd.load(ordering: .acquiring), &byte, 1)
    }

    private static func handle(_ signal: Int32, _ handler: @escaping @convention(c) (Int32) -> Void)
    {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handler
        sigemptyset(&action.sa_mask)
        sigaction(signal, &action, nil)
        // A host that spawned the program from a thread with blocked signals left them blocked.
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// - Throws: `CommandFailure` once a signal has asked for the end.
    static func check(_ progress: @autoclosure () -> String) throws(CommandFailure) {
        if isStopRequested { throw CommandFailure(.interrupted, "interrupted \(progress())") }
    }
}
