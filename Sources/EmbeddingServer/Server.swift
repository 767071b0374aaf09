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

    private let embedder: Embedder
    private let limits: Limits
    /// The longest line, as the memory allows it.
    private let lineByteCount: Int
    private let descriptor: FileDescriptor
    private let logger: Logger
    private let isStopping: @Sendable () -> Bool
    private let output: OutputQueue
    private let table = RequestTable()
    private let statistics = ServerStatistics()
    private let parent: ParentProcess
    /// How much was written when, as far as that was looked at.
    private var lastOutput: (byteCount: Int, time: ContinuousClock.Instant)?
    private var input: LineReader
    /// The texts of this line's requests so far, and the bytes that they were promised.
    private var lineTextCount = 0
    private var lineRequestByteCount = 0
    /// Answers to `shutdown`, sent when all else is answered.
    private var shutdowns: [Answer] = []
    private var isShutDown = false

    private var isFirstLine = true

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    /// What requests may take before their memory is looked at.
    private static let smallByteCount = 1 << 20

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

    private var isOutputGone: Bool {
        var state = pollfd(fd: descriptor.rawValue, events: 0, revents: 0)
        return output.error != nil || (poll(&state, 1, 0) > 0 && state.revents != 0)
    }

    /// Whether the host is gone and whoever holds the other end of the output has not read for
    /// some time.
    private var isAbandoned: Bool {
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

    // MARK: - Lines

    /// The values of a line: more than any request that is within the limits has.
    private var valueLimit: Int { 50_000 + 2 * min(limits.textCount, Int.max / 4) }

    private func handle(_ event: LineReader.Event) {
        let received = ContinuousClock.now
        switch event {
        case .tooLong(let count):
            logger.warning("line skipped", metadata: ["bytes": "\(count)"])
            statistics.countLine()
            fail(.null, .tooLarge("max_line_bytes", count: count, limit: lineByteCount))
        case .line(var line):
            // Some languages' text streams begin with a byte order mark, unasked.
            if isFirstLine, line.starts(with: Self.byteOrderMark) { line.removeFirst(3) }
            isFirstLine = false
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return }
            statistics.countLine()
            handle(line, received)
        case .end, .interrupted, .idle: break
        }
    }

    private func handle(_ line: [UInt8], _ received: ContinuousClock.Instant) {
        (lineTextCount, lineRequestByteCount) = (0, 0)
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: line, valueLimit: valueLimit) } catch
        {
            return fail(.null, .notJSON(error))
        }
        guard let elements = value.array else { return handle(value, received, nil) }
        guard !elements.isEmpty else { return fail(.null, .notRequest("an empty batch")) }
        guard elements.count <= limits.requestCount else {
            return fail(
                .null,
                .tooLarge("requests_per_batch", count: elements.count, limit: limits.requestCount))
        }
        let group = BatchAnswer(output)
        for element in elements { handle(element, received, group) }
        group.complete()
    }

    private func handle(
        _ value: JSONValue, _ received: ContinuousClock.Instant, _ group: BatchAnswer?
    ) {
        let request: RPCRequest
        do throws(RPCError) { request = try RPCRequest(value) } catch {
            return fail(RPCRequest.id(of: value), error, group)
        }
        let method = RPCMethod(rawValue: request.method)
        guard let id = request.id else { return notify(method, request.params) }
        let answer = answer(id, group)
        do throws(RPCError) {
            guard !isShutDown else { throw .notRequest("the server is shutting down") }
            guard let method else {
                throw .noMethod(request.method, known: RPCMethod.allCases.map(\.rawValue))
            }
            try call(method, try RPCParameters(request.params), answer, received)
        } catch {
            logger.debug("request failed", metadata: ["code": "\(error.code)"])
            statistics.count(error)
            answer.send(error)
        }
    }

    private func answer(_ id: JSONValue, _ group: BatchAnswer?) -> Answer {
        Answer(id: id, output, batch: group.map { ($0, $0.reserve()) })
    }

    private func fail(_ id: JSONValue, _ error: RPCError, _ group: BatchAnswer? = nil) {
        statistics.count(error)
        answer(id, group).send(error)
    }

    // MARK: - Methods

    /// A call that wants no answer: most need not be made.
    private func notify(_ method: RPCMethod?, _ params: JSONValue) {
        switch method {
        case .cancelRequest: cancel(params["id"])
        case .shutdown: isShutDown = true
        default: break
        }
    }

    private func cancel(_ id: JSONValue?) {
        guard let id else { return }
        statistics.countCancellation()
        table.cancel(key: id.serialized)
    }

    private func call(
        _ method: RPCMethod, _ params: RPCParameters, _ answer: Answer,
        _ received: ContinuousClock.Instant
    ) throws(RPCError) {
        let request = Call(method: method, answer: answer, received: received)
        switch method {
        case .initialize: reply(request, infoMethod.initialize())
        case .info: reply(request, infoMethod.info())
        case .stats:
            reply(request, StatsMethod.result(Self.state(embedder, table, output, statistics)))
        case .cancelRequest:
            cancel(params["id"])
            reply(request, .null)
        case .shutdown:
            isShutDown = true
            shutdowns.append(answer)
        case .embed: try embed(request, params)
        case .tokenize: try tokenize(request, params)
        case .count: try count(request, params)
        case .plan: try plan(request, params)
        }
    }

    /// What every call has.
    private struct Call {
        var method: RPCMethod
        var answer: Answer
        var received: ContinuousClock.Instant
    }

    private func reply(_ call: Call, _ result: JSONWriter) {
        statistics.count(call.method, ContinuousClock.now - call.received)
        call.answer.send(result: result)
    }

    private var infoMethod: InfoMethod {
        InfoMethod(embedder: embedder, limits: limits, lineByteCount: lineByteCount)
    }

    private static func state(
        _ embedder: Embedder, _ table: RequestTable, _ output: OutputQueue,
        _ statistics: ServerStatistics
    ) -> ServerState {
        ServerState(
            requests: statistics.snapshot, engine: embedder.statistics,
            activeRequestCount: table.count, requestByteCount: table.byteCount,
            outputByteCount: output.waitingByteCount, memoryCeiling: embedder.memoryCeiling,
            secondsPerToken: embedder.costModel.secondsPerToken)
    }

    private func embed(_ call: Call, _ params: RPCParameters) throws(RPCError) {
        let method = try EmbedMethod(params, embedder.model, textLimit: limits.textCount)
        let request = try accept(
            call, method.input, byteCount: method.byteCount(embedder.model), method.request)
        var job = EmbeddingJob(method.input.texts, method.request)
        job.priority = method.priority
        job.deadline = method.timeout.map { call.received + $0 }
        submit(
            job, request,
            EmbedAnswer(request, method, modelName: embedder.model.settings.name))
    }

    private func tokenize(_ call: Call, _ params: RPCParameters) throws(RPCError) {
        let (input, job) = try TokenizeMethod.job(
            params, embedder.model, textLimit: limits.textCount)
        // An id, its token and its offsets take some ten bytes for each of English text, and five
        // times as many where every character is a token.
        let request = try accept(call, input, byteCount: 50 * input.byteCount, job.request)
        submit(job, request, TokenizeMethod(request, input, embedder.model.tokenizer))
    }

    private func count(_ call: Call, _ params: RPCParameters) throws(RPCError) {
        let (input, job) = try CountMethod.job(
            params, embedder.model, textLimit: limits.textCount)
        let request = try accept(
            call, input, byteCount: input.byteCount + 64 * input.count, job.request)
        submit(job, request, CountMethod(request, input, window: window(job.request)))
    }

    private func plan(_ call: Call, _ params: RPCParameters) throws(RPCError) {
        switch try PlanMethod.subject(params, embedder.model, textLimit: limits.textCount) {
        case .lengths(let lengths, let byteCount):
            reply(call, PlanMethod.result(lengths, byteCount: byteCount, embedder))
        case .texts(let method):
            let request = try accept(
                call, method.input, byteCount: method.input.byteCount, method.request)
            var job = EmbeddingJob(method.input.texts, method.request)
            job.purpose = .count
            submit(
                job, request,
                PlanMethod(request, embedder, method, window: window(method.request)))
        }
    }

    private func window(_ request: Embedder.Request) -> Int {
        request.maximumTokenCount ?? embedder.model.settings.maximumTokenCount
    }

    /// Admits a request, once there is room for it.
    ///
    /// - Throws: `RPCError` −32001, −32002, −32004.
    private func accept(
        _ call: Call, _ input: TextInput, byteCount: Int, _ options: Embedder.Request
    ) throws(RPCError) -> ActiveRequest {
        let byteCount = byteCount + call.answer.id.serialized.count
        lineTextCount += input.count
        guard lineTextCount <= limits.textCount else {
            throw .tooLarge(
                "max_client_batch_size", count: lineTextCount, limit: limits.textCount)
        }
        if let limit = limits.concurrentRequestCount, table.count >= limit {
            let statistics = embedder.statistics
            let seconds = embedder.costModel.seconds(
                tokens: 64 + statistics.waitingTokenCount + 16 * statistics.waitingTextCount)
            throw .overloaded(
                retryAfter: seconds / Double(embedder.configuration.threadCount), limit: limit)
        }
        // The answers of a batch array are written together: they must have room together.
        let lineByteCount = lineRequestByteCount + byteCount
        if lineByteCount > Self.smallByteCount {
            // A token is a byte or more of text.
            let longest = input.texts.reduce(0) { max($0, $1.utf8.count + 2) }
            let prediction = embedder.plan(
                lengths: [min(longest, window(options))], byteCount: lineByteCount)
            guard prediction.fits else {
                throw .outOfMemory(
                    predicted: prediction.peakByteCount, ceiling: prediction.ceiling)
            }
        }
        if table.byteCount + byteCount > Self.smallByteCount {
            table.waitForRoom(
                byteCount, ownByteCount: lineRequestByteCount,
                budget: { max(Self.smallByteCount, embedder.spareByteCount) },
                unless: { isOutputGone || isAbandoned })
        }
        lineRequestByteCount = lineByteCount
        return ActiveRequest(
            call.method, call.answer, received: call.received, byteCount: byteCount, table,
            statistics)
    }

    private func submit(
        _ job: EmbeddingJob, _ request: ActiveRequest, _ receiver: any EmbeddingJobReceiver
    ) {
        do throws(EmbeddingError) {
            let id = try embedder.submit(job, receiver)
            request.setCancel { [embedder] in embedder.cancel(id) }
        } catch {
            request.fail(RPCError(error))
        }
    }
}

extension JSONWriter {
    fileprivate static var null: JSONWriter {
        var json = JSONWriter()
        json.null()
        return json
    }
}
