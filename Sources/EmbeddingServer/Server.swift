import EmbeddingEngine
import JSON
import Logging
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// JSON-RPC 2.0 over lines: a request a line in, an answer a line out, as they are ready.
///
/// Every line that is not blank gets exactly one answer, notifications apart; no line ends the
/// server. One thread reads, the embedder's compute, one writes.
public final class Server {
    /// What a host may ask for.
    public struct Limits: Sendable, Equatable {
        /// Bytes of a line; longer ones are skipped and answered with −32002.
        public var lineByteCount: Int
        /// Texts of one request, or of all requests of a batch array.
        public var textCount: Int
        /// Requests of one batch array.
        public var requestCount: Int
        /// Requests in work at a time; more are answered with −32001. Without a limit, reading
        /// waits while the requests in work fill the memory that there is for them.
        public var concurrentRequestCount: Int?

        public init(
            lineByteCount: Int = 64 << 20, textCount: Int = 100_000, requestCount: Int = 1000,
            concurrentRequestCount: Int? = nil
        ) {
            self.lineByteCount = lineByteCount
            self.textCount = textCount
            self.requestCount = requestCount
            self.concurrentRequestCount = concurrentRequestCount
        }
    }

    /// Why ``run()`` returned.
    public enum End: Equatable, Sendable {
        case endOfInput
        case shutdown
        /// `isStopping` said so.
        case stopped
        /// Nobody reads the answers any more.
        case outputClosed
        /// The process that spawned this one is gone, and for a second nobody wrote to it.
        case parentGone
    }

    /// Why it could not go on.
    public enum Failure: Error, Equatable, CustomStringConvertible {
        case reading(Errno)
        /// For another reason than that nobody reads.
        case writing(Errno)
        /// The system has no thread to give.
        case noThread

        public var description: String {
            switch self {
            case .reading(let error): "requests cannot be read: \(error)"
            case .writing(let error): "answers cannot be written: \(error)"
            case .noThread: "the system gives no thread to write answers with"
            }
        }
    }

    let embedder: Embedder
    let limits: Limits
    /// The longest line, as the memory allows it.
    let lineByteCount: Int
    private let descriptor: FileDescriptor
    let logger: Logger
    private let isStopping: @Sendable () -> Bool
    let output: OutputQueue
    let table = RequestTable()
    let statistics = ServerStatistics()
    private let parent: ParentProcess
    /// How much was written when, as far as that was looked at.
    private var lastOutput: (byteCount: Int, time: ContinuousClock.Instant)?
    private var input: LineReader
    /// The texts of this line's requests so far, and the bytes that they were promised.
    var lineTextCount = 0
    var lineRequestByteCount = 0
    /// Answers to `shutdown`, sent when all else is answered.
    var shutdowns: [Answer] = []
    var isShutDown = false
    var isFirstLine = true

    /// A server that reads from `input` once ``run()`` is called.
    ///
    /// - Parameters:
    ///   - output: gets protocol lines and nothing else.
    ///   - interruption: becomes readable when the server shall stop; see ``LineReader``.
    ///   - isStopping: asked between lines, and when the interruption ends the wait for one.
    public init(
        _ embedder: Embedder, input: FileDescriptor, output: FileDescriptor, limits: Limits,
        logger: Logger, interruption: FileDescriptor? = nil,
        isStopping: @escaping @Sendable () -> Bool
    ) {
        self.embedder = embedder
        self.limits = limits
        self.logger = logger
        self.isStopping = isStopping
        descriptor = output
        // A line takes its own bytes several times over until its texts are taken out of it.
        let room = embedder.memoryCeiling - max(ProcessMemory.resident, embedder.model.byteCount)
        lineByteCount = min(limits.lineByteCount, max(1 << 16, room / 8))
        self.output = OutputQueue(output, byteLimit: min(8 << 20, max(1 << 16, room / 8)))
        parent = ParentProcess(input: input)
        var interruptions = [LineReader.Interruption.hangup(output)]
        if let interruption { interruptions.append(.readable(interruption)) }
        self.input = LineReader(
            input, lineLimit: lineByteCount, interruptions: interruptions,
            idleTime: parent.isWatched ? .seconds(1) : nil)
    }

    /// Where the server stands, in the text format that Prometheus reads; for any thread.
    public var metrics: @Sendable () -> String {
        { [embedder, table, output, statistics] in
            MetricsText(Self.state(embedder, table, output, statistics)).text
        }
    }

    /// Serves until the input ends, a client says `shutdown`, or ``isStopping``. What was accepted
    /// is answered before it returns, unless nobody reads any more.
    ///
    /// - Throws: `Failure`.
    public func run() throws(Failure) -> End {
        logger.info("serving", metadata: ["model": "\(embedder.model.settings.name)"])
        // Who has asked already does not wait for it, where that can be.
        if input.wouldBlock() || embedder.model.encoder.backend == .openblas { embedder.warmUp() }
        guard output.start() else { throw .noThread }
        defer { output.finish() }
        let end = try readLines()
        if end != .outputClosed, finish() {
            for answer in shutdowns { answer.send(result: .null) }
            if drain() { return end }
        }
        table.cancelAll()
        if let error = output.error, error != .brokenPipe { throw .writing(error) }
        return .outputClosed
    }

    private func readLines() throws(Failure) -> End {
        var isWarmingUp = false
        while !isStopping() {
            // A host that does not read its answers gets no more of them made.
            guard waitForRoom() else { return .outputClosed }
            switch try next() {
            case .end: return .endOfInput
            case .interrupted where isOutputGone: return .outputClosed
            case .interrupted: continue
            case .idle:
                if parent.isGone, table.count == 0 { return .parentGone }
                if isAbandoned { return .outputClosed }
            case let event:
                handle(event)
                if !isWarmingUp {
                    isWarmingUp = true
                    embedder.warmUp()
                }
            }
            if isShutDown { break }
        }
        // Lines that were read already are answered too.
        while let event = input.nextBuffered() {
            guard waitForRoom() else { return .outputClosed }
            handle(event)
        }
        return isShutDown ? .shutdown : .stopped
    }

    private func next() throws(Failure) -> LineReader.Event {
        do throws(Errno) { return try input.next() } catch { throw .reading(error) }
    }

    /// Waits while too many answers wait to be read; false when nobody reads any more.
    private func waitForRoom() -> Bool {
        while !output.waitForRoom(timeout: .seconds(1)) {
            if isOutputGone || isAbandoned { return false }
        }
        return true
    }

    /// Waits until every request has its answer; false when nobody reads any more.
    private func finish() -> Bool {
        while !table.waitUntilEmpty(timeout: .milliseconds(100)) {
            if isOutputGone || isAbandoned { return false }
        }
        return true
    }

    /// Waits until every answer is written; false when nobody reads any more.
    private func drain() -> Bool {
        while !output.drain(timeout: .milliseconds(100)) {
            if isOutputGone || isAbandoned { return false }
        }
        return output.error == nil
    }

    var isOutputGone: Bool {
        var state = pollfd(fd: descriptor.rawValue, events: 0, revents: 0)
        return output.error != nil || (poll(&state, 1, 0) > 0 && state.revents != 0)
    }

    /// Whether the host is gone and whoever holds the other end of the output has not read for
    /// some time.
    var isAbandoned: Bool {
        guard parent.isGone, !output.isIdle else {
            lastOutput = nil
            return false
        }
        let (written, now) = (output.writtenByteCount, ContinuousClock.now)
        guard let last = lastOutput, last.byteCount == written else {
            lastOutput = (written, now)
            return false
        }
        return now - last.time > .seconds(2)
    }
}

extension JSONWriter {
    static var null: JSONWriter {
        var json = JSONWriter()
        json.null()
        return json
    }
}
