import EmbeddingEngine
import JSON

// From calls to jobs and answers.
extension Server {
    /// What requests may take before their memory is looked at.
    private static let smallByteCount = 1 << 20

    /// A call that wants no answer: most need not be made.
    func notify(_ method: RPCMethod?, _ params: JSONValue) {
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

    func call(
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

    static func state(
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
