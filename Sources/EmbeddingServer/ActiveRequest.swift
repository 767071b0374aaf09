import EmbeddingEngine
import JSON
import Synchronization

/// A request in work: where its answer goes, and the books that its end closes.
final class ActiveRequest: Sendable {
    let method: RPCMethod
    let answer: Answer
    let received: ContinuousClock.Instant
    private let table: RequestTable
    private let statistics: ServerStatistics
    private let token: UInt64
    private let begun = Mutex<ContinuousClock.Instant?>(nil)

    init(
        _ method: RPCMethod, _ answer: Answer, received: ContinuousClock.Instant,
        byteCount: Int, _ table: RequestTable, _ statistics: ServerStatistics
    ) {
        self.method = method
        self.answer = answer
        self.received = received
        self.table = table
        self.statistics = statistics
        token = table.insert(key: answer.id.serialized, byteCount: byteCount)
    }

    func setCancel(_ cancel: @escaping @Sendable () -> Void) { table.setCancel(token, cancel) }

    /// Work on the request has begun.
    func begin() { begun.withLock { $0 = $0 ?? .now } }

    /// Writes the member `timings`: milliseconds from the line's arrival to the work's beginning,
    /// and to its end.
    func writeTimings(to json: inout JSONWriter) {
        let now = ContinuousClock.now
        json.key("timings")
        json.beginObject()
        json.key("queue_ms")
        json.milliseconds((begun.withLock { $0 } ?? now) - received)
        json.key("total_ms")
        json.milliseconds(now - received)
        json.endObject()
    }

    func succeed(_ pieces: [ArraySlice<UInt8>]) {
        statistics.count(method, ContinuousClock.now - received)
        answer.send(result: pieces, onEnd: onEnd)
    }

    func succeed(_ json: JSONWriter) { succeed([json.bytes[...]]) }

    func fail(_ error: RPCError) {
        statistics.count(error)
        answer.send(error, onEnd: onEnd)
    }

    /// The request is in the books until its answer is written.
    private var onEnd: @Sendable () -> Void {
        { [table, token] in table.remove(token) }
    }

    /// A job that did not come to its end.
    func fail(_ end: EmbeddingJob.End) {
        fail(end == .deadlineExceeded ? RPCError.deadlineExceeded : RPCError.cancelled)
    }
}

extension JSONWriter {
    mutating func milliseconds(_ duration: Duration) {
        number((duration.seconds * 1e6).rounded() / 1e3)
    }
}

extension JSONValue {
    /// The value as JSON text, in UTF-8. Strings that only look the same differ.
    var serialized: [UInt8] {
        var json = JSONWriter()
        json.value(self)
        return json.bytes
    }
}
