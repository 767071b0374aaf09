import EmbeddingEngine

/// The requests that have no answer yet, and the memory that they were promised.
final class RequestTable: Sendable {
    private let state = Monitor<State>(State())

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var tokens: [[UInt8]: [UInt64]] = [:]
        var lastToken: UInt64 = 0
        var byteCount = 0
    }

    private struct Entry {
        var key: [UInt8]
        var byteCount: Int
        var cancel: (@Sendable () -> Void)?
    }

    var count: Int { state.withLock(\.entries.count) }
    /// The bytes that requests and their unwritten answers take.
    var byteCount: Int { state.withLock(\.byteCount) }

    /// Waits until a request of so many bytes has room beside the others; alone it always has.
    ///
    /// - Parameter ownByteCount: bytes of requests whose answers wait for this one's.
    func waitForRoom(
        _ byteCount: Int, ownByteCount: Int, budget: () -> Int, unless isOver: () -> Bool
    ) {
        while !isOver() {
            let room = budget()
            // The budget changes with the machine's memory: it is read again now and then.
            let hasRoom = state.wait(timeout: .seconds(1)) {
                $0.byteCount <= ownByteCount || $0.byteCount + byteCount <= room ? true : nil
            }
            if hasRoom == true { return }
        }
    }

    /// Takes a request in.
    ///
    /// - Parameters:
    ///   - key: the request's id, as JSON.
    /// - Returns: what names the request here.
    func insert(key: [UInt8], byteCount: Int) -> UInt64 {
        state.withLock { state in
            state.lastToken += 1
            state.entries[state.lastToken] = Entry(key: key, byteCount: byteCount)
            state.tokens[key, default: []].append(state.lastToken)
            state.byteCount += byteCount
            return state.lastToken
        }
    }

    /// Says how a request is cancelled; without effect when it is over already.
    func setCancel(_ token: UInt64, _ cancel: @escaping @Sendable () -> Void) {
        state.withLock { $0.entries[token]?.cancel = cancel }
    }

    /// A request has its answer, or nobody to give it to.
    func remove(_ token: UInt64) {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: token) else { return }
            state.byteCount -= entry.byteCount
            state.tokens[entry.key]?.removeAll { $0 == token }
            if state.tokens[entry.key]?.isEmpty ?? false { state.tokens[entry.key] = nil }
        }
        state.notifyAll()
    }

    /// Cancels all requests of an id.
    func cancel(key: [UInt8]) {
        let cancels = state.withLock { state in
            (state.tokens[key] ?? []).compactMap { state.entries[$0]?.cancel }
        }
        for cancel in cancels { cancel() }
    }

    func cancelAll() {
        let cancels = state.withLock { $0.entries.values.compactMap(\.cancel) }
        for cancel in cancels { cancel() }
    }

    /// Waits until no request is in work; false when the time is over.
    func waitUntilEmpty(timeout: Duration? = nil) -> Bool {
        state.wait(timeout: timeout) { $0.entries.isEmpty ? true : nil } ?? false
    }
}
