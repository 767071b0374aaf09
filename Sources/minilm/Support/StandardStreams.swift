#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Descriptors 0 to 2 as the host left them.
enum StandardStreams {
    /// Puts something in the place of standard streams that the host closed, so that no other file
    /// gets their numbers. Opened the wrong way round: using them is still an error.
    static func openMissing() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Writes out what `print` has buffered.
    ///
    /// - Throws: `CommandFailure` when it cannot be written.
    static func flushOutput() throws(CommandFailure) {
        guard fflush(nil) == 0 else {
            throw CommandFailure(.ioError, "standard output: \(String(cString: strerror(errno)))")
        }
    }

    /// Ends the process as `exit` does, but leaves libraries as they are: threads may be using them.
    static func endProcess(_ status: Int32) -> Never {
        fflush(nil)
        _exit(status)
    }
}
