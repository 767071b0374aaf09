import DequeModule
import EmbeddingEngine
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A line of output, in pieces, so that a line of megabytes is never put together.
struct OutputLine: Sendable {
    var pieces: [ArraySlice<UInt8>]
    /// Called once, before the line's last bytes can be read, or when they never will be: whoever
    /// has read a line finds that everybody knows.
    private(set) var onEnd: (@Sendable () -> Void)?

    init(_ pieces: [ArraySlice<UInt8>], onEnd: (@Sendable () -> Void)? = nil) {
        self.pieces = pieces
        self.onEnd = onEnd
    }

    var byteCount: Int { pieces.reduce(0) { $0 + $1.count } }

    mutating func end() {
        onEnd?()
        onEnd = nil
    }
}

/// Writes lines to a descriptor, whole and one after another, on a thread of its own: whoever has
/// a line to write goes on while the reader of the other side is slow.
final class OutputQueue: Sendable {
    private let descriptor: FileDescriptor
    /// Bytes that wait before ``enqueue(_:waits:isWanted:)`` makes its caller wait.
    private let byteLimit: Int
    private let state: Monitor<State>

    private struct State {
        var lines: Deque<OutputLine> = []
        var byteCount = 0
        var isWriting = false
        var isFinishing = false
        var error: Errno?
        var writtenByteCount = 0
    }

    /// What a pipe takes at once or not at all, and has room for when `poll` says so.
    private static let atomicByteCount = 4096

    init(_ descriptor: FileDescriptor, byteLimit: Int) {
        self.descriptor = descriptor
        self.byteLimit = byteLimit
        state = Monitor(State())
    }

    /// The bytes that were written.
    var writtenByteCount: Int { state.withLock(\.writtenByteCount) }

    /// Starts the writer; false when the system has no thread to give.
    func start() -> Bool { Threads.start { self.run() } }

    /// Why nothing can be written any more; `brokenPipe` when nobody reads.
    var error: Errno? { state.withLock(\.error) }

    /// The bytes of lines that wait to be written.
    var waitingByteCount: Int { state.withLock(\.byteCount) }

    /// Whether nothing waits, and nothing is being written.
    var isIdle: Bool { state.withLock { $0.lines.isEmpty && !$0.isWriting } }

    /// Takes a line in.
    ///
    /// - Parameters:
    ///   - line: its end may be called under the queue's lock.
    ///   - waits: whether the caller waits while more than the limit is queued; for lines whose
    ///     memory nobody has accounted for.
    ///   - isWanted: asked while no other line can get in; a line that is not wanted any more is
    ///     dropped.
    func enqueue(
        _ line: OutputLine, waits: Bool = false, isWanted: () -> Bool = { true }
    ) {
        if waits { waitForRoom(unless: { !isWanted() }) }
        let isQueued = state.withLock { state in
            var line = line
            guard state.error == nil, isWanted() else {
                line.end()
                return false
            }
            if !state.isWriting, state.lines.isEmpty, writeAtOnce(&line) {
                state.writtenByteCount += line.byteCount
                return false
            }
            state.byteCount += line.byteCount
            state.lines.append(line)
            return true
        }
        if isQueued { state.notifyAll() }
    }

    /// Waits until less than the limit is queued, or nothing can be written any more.
    ///
    /// - Returns: false when the time is over.
    @discardableResult func waitForRoom(
        timeout: Duration? = nil, unless isOver: () -> Bool = { false }
    ) -> Bool {
        state.wait(timeout: timeout) {
            $0.byteCount <= self.byteLimit || $0.error != nil || isOver() ? true : nil
        } ?? false
    }

    /// Writes a short line without the writer's thread where that cannot block.
    private func writeAtOnce(_ line: inout OutputLine) -> Bool {
        guard line.byteCount <= Self.atomicByteCount else { return false }
        var room = pollfd(fd: descriptor.rawValue, events: Int16(POLLOUT), revents: 0)
        guard poll(&room, 1, 0) == 1, room.revents == Int16(POLLOUT) else { return false }
        line.end()
        let bytes = line.pieces.count == 1 ? line.pieces[0] : ArraySlice(line.pieces.joined())
        return bytes.withUnsafeBytes { bytes in
            var count = 0
            do {
                // A pipe takes so little in one write. What another descriptor left out follows.
                count = try descriptor.write(bytes)
                try descriptor.writeFully(UnsafeRawBufferPointer(rebasing: bytes[count...]))
                return true
            } catch {
                // Nothing is written twice; the next line meets the same error.
                return count > 0
            }
        }
    }

    /// Waits until all is written, or nothing can be.
    ///
    /// - Returns: false when the time is over.
    func drain(timeout: Duration? = nil) -> Bool {
        state.wait(timeout: timeout) {
            ($0.lines.isEmpty && !$0.isWriting) || $0.error != nil ? true : nil
        } ?? false
    }

    /// Ends the writer once all is written.
    func finish() {
        state.withLock { $0.isFinishing = true }
        state.notifyAll()
    }

    private func run() {
        var buffer: [UInt8] = []
        while let line = next() { write(line, &buffer) }
    }

    /// The next line; nil when there will be none.
    private func next() -> OutputLine? {
        let line: OutputLine?? = state.wait { state in
            if let line = state.lines.popFirst() {
                state.isWriting = true
                return line
            }
            return state.isFinishing || state.error != nil ? .some(nil) : nil
        }
        return line ?? nil
    }

    private func write(_ line: OutputLine, _ buffer: inout [UInt8]) {
        var line = line
        var failure: Errno?
        do throws(Errno) {
            for piece in line.pieces {
                if buffer.count >= 1 << 16 { try flush(&buffer) }
                buffer.append(contentsOf: piece)
            }
        } catch {
            failure = error
        }
        let byteCount = line.byteCount
        state.withLock { $0.byteCount -= byteCount }
        line.end()
        do throws(Errno) { if failure == nil { try flush(&buffer) } } catch { failure = error }
        let dropped = state.withLock { state -> Deque<OutputLine> in
            state.isWriting = false
            guard let failure else { return [] }
            state.error = failure
            defer {
                state.lines = []
                state.byteCount = 0
            }
            return state.lines
        }
        for var line in dropped { line.end() }
        state.notifyAll()
    }

    private func flush(_ buffer: inout [UInt8]) throws(Errno) {
        try descriptor.writeFully(buffer)
        let count = buffer.count
        state.withLock { $0.writtenByteCount += count }
        buffer.removeAll(keepingCapacity: buffer.capacity <= 1 << 18)
    }
}
