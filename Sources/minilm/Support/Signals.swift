import Synchronization

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

    static var isStopRequested: Bool { requested.load(ordering: .relaxed) != 0 }

    static func install() {
        // No SA_RESTART: a read that waits for input must return.
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
        if requested.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { _exit(128 + signal) }
    }

    private static func handle(_ signal: Int32, _ handler: @escaping @convention(c) (Int32) -> Void)
    {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handler
        sigemptyset(&action.sa_mask)
        sigaction(signal, &action, nil)
    }

    /// - Throws: `CommandFailure` once a signal has asked for the end.
    static func check(_ progress: @autoclosure () -> String) throws(CommandFailure) {
        if isStopRequested { throw CommandFailure(.interrupted, "interrupted \(progress())") }
    }
}
