import JSON
import Logging

// From lines to calls.
extension Server {
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// The values of a line: more than any request that is within the limits has.
    private var valueLimit: Int { 50_000 + 2 * min(limits.textCount, Int.max / 4) }

    func handle(_ event: LineReader.Event) {
        let received = ContinuousClock.now
        defer { isFirstLine = false }
        switch event {
        case .tooLong(let count):
            logger.warning("line skipped", metadata: ["bytes": "\(count)"])
            statistics.countLine()
            fail(.null, .tooLarge("max_line_bytes", count: count, limit: lineByteCount))
        case .line(var line):
            // Some languages' text streams begin with a byte order mark, unasked.
            if isFirstLine, line.starts(with: Self.byteOrderMark) { line.removeFirst(3) }
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
}
