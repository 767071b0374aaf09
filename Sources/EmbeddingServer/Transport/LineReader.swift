import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads lines from a descriptor in bounded memory.
public struct LineReader {
    public enum Event: Equatable {
        /// A line without its newline; at the end of the input the newline may be missing.
        case line([UInt8])
        /// A line over the limit; its bytes were read and forgotten.
        case tooLong(byteCount: Int)
        case end
        /// An interruption came before the next line did; what was read is kept.
        case interrupted
        /// No input came for the time that was asked for.
        case idle
    }

    public let descriptor: FileDescriptor
    private let lineLimit: Int
    private let interruptions: [Interruption]
    private let idleTime: Duration?
    private let skipsLongLines: Bool
    private var buffer: [UInt8] = []
    private var block: [UInt8]
    /// Where the unread part of `buffer` begins, and how far it was searched for a newline.
    private var start = 0
    private var searched = 0
    /// The bytes of a line over the limit that are gone already.
    private var skipped = 0
    private var isAtEnd = false
    private static let blockSize = 1 << 18

    /// What ends the wait for a line.
    public enum Interruption: Sendable {
        /// Becomes readable; a signal handler's pipe.
        case readable(FileDescriptor)
        /// Loses its reader; the other end of a pipe.
        case hangup(FileDescriptor)
    }

    /// - Parameters:
    ///   - idleTime: how long ``next()`` waits before it reports `idle`; nil for ever.
    ///   - skipsLongLines: whether a line over the limit is read to its end before it is reported;
    ///     otherwise it is reported at once, and what follows is the rest of it.
    public init(
        _ descriptor: FileDescriptor, lineLimit: Int, interruptions: [Interruption] = [],
        idleTime: Duration? = nil, skipsLongLines: Bool = true
    ) {
        self.descriptor = descriptor
        self.lineLimit = lineLimit
        self.interruptions = interruptions
        self.idleTime = idleTime
        self.skipsLongLines = skipsLongLines
        block = [UInt8](repeating: 0, count: Self.blockSize)
    }

    /// The next line. Blocks until there is one.
    ///
    /// - Throws: `Errno`.
    public mutating func next() throws(Errno) -> Event {
        while true {
            if let newline = findNewline() {
                defer { discard(through: newline + 1) }
                return event(endingAt: newline)
            }
            if skipped > 0 || buffer.count - start > lineLimit {
                skipped += buffer.count - start
                discard(through: buffer.count)
                if !skipsLongLines {
                    defer { skipped = 0 }
                    return .tooLong(byteCount: skipped)
                }
            }
            if isAtEnd {
                guard buffer.count > start || skipped > 0 else { return .end }
                defer { discard(through: buffer.count) }
                return event(endingAt: buffer.count)
            }
            if let event = try fill() { return event }
        }
    }

    /// Whether ``next()`` would have to wait for more input.
    public mutating func wouldBlock() -> Bool {
        if isAtEnd || findNewline() != nil { return false }
        var waiting = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, 0) == 0
    }

    private mutating func event(endingAt end: Int) -> Event {
        let count = skipped + end - start
        skipped = 0
        return count > lineLimit ? .tooLong(byteCount: count) : .line(Array(buffer[start..<end]))
    }

    private mutating func findNewline() -> Int? {
        let newline = buffer.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress, searched < bytes.count else { return nil }
            return memchr(base + searched, 0x0A, bytes.count - searched).map {
                $0 - UnsafeMutableRawPointer(mutating: base)
            }
        }
        searched = newline ?? buffer.count
        return newline
    }

    private mutating func discard(through end: Int) {
        start = end
        searched = end
        if start == buffer.count {
            // Memory that one long line took is given back.
            buffer.removeAll(keepingCapacity: buffer.capacity <= 4 * Self.blockSize)
            start = 0
            searched = 0
        } else if buffer.capacity > 4 * Self.blockSize, buffer.count - start <= Self.blockSize {
            buffer = Array(buffer[start...])
            start = 0
            searched = 0
        }
    }

    /// The next line that is whole in memory; nil when there is none. Reads nothing.
    public mutating func nextBuffered() -> Event? {
        guard let newline = findNewline() else { return nil }
        defer { discard(through: newline + 1) }
        return event(endingAt: newline)
    }

    private enum Wait {
        case input, interrupted, idle
    }

    /// Waits for input.
    ///
    /// A signal alone would not end it: one that comes just before the read would be missed.
    private func waitForInput() throws(Errno) -> Wait {
        if interruptions.isEmpty, idleTime == nil { return .input }
        var polls = [pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)]
        for interruption in interruptions {
            switch interruption {
            case .readable(let other):
                polls.append(pollfd(fd: other.rawValue, events: Int16(POLLIN), revents: 0))
            case .hangup(let other):
                polls.append(pollfd(fd: other.rawValue, events: 0, revents: 0))
            }
        }
        let (seconds, attoseconds) = (idleTime ?? .zero).components
        let timeout =
            idleTime == nil ? -1 : Int32(seconds * 1000 + attoseconds / 1_000_000_000_000_000)
        var count = poll(&polls, nfds_t(polls.count), timeout)
        while count < 0 {
            guard errno == EINTR else { throw Errno(rawValue: errno) }
            count = poll(&polls, nfds_t(polls.count), timeout)
        }
        if polls.dropFirst().contains(where: { $0.revents != 0 }) { return .interrupted }
        return count == 0 ? .idle : .input
    }

    /// Reads a block; nil when there was one, or why there was none.
    private mutating func fill() throws(Errno) -> Event? {
        switch try waitForInput() {
        case .input: break
        case .interrupted: return .interrupted
        case .idle: return .idle
        }
        if start > 0, start >= buffer.count / 2 {
            buffer.removeSubrange(..<start)
            searched -= start
            start = 0
        }
        let count = read(descriptor.rawValue, &block, block.count)
        if count < 0 {
            switch errno {
            case EINTR: return nil
            case EAGAIN:
                var waiting = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
                poll(&waiting, 1, -1)
                return nil
            default: throw Errno(rawValue: errno)
            }
        }
        buffer.append(contentsOf: block[..<count])
        isAtEnd = count == 0
        return nil
    }
}
