import EmbeddingEngine
import JSON
import Synchronization

/// Collects the vectors of an `embed` request, as the bytes of its answer, or streams them.
final class EmbedAnswer: EmbeddingJobReceiver {
    private let request: ActiveRequest
    /// Without the texts, which are the job's.
    private let method: EmbedMethod
    private let count: Int
    private let modelName: String
    private let state: Mutex<State>

    private struct State {
        /// The data object of each element of the input; empty while streaming.
        var items: [ArraySlice<UInt8>]
        var doneCount = 0
        var tokenCount = 0
        var lastProgress: ContinuousClock.Instant
        var hasEnded = false
        /// Why the only text has no vector.
        var failure: RPCError?
    }

    /// The least time between two progress notifications.
    private static let progressInterval = Duration.milliseconds(200)

    init(_ request: ActiveRequest, _ method: EmbedMethod, modelName: String) {
        self.request = request
        self.modelName = modelName
        count = method.input.count
        var method = method
        method.input.texts = []
        self.method = method
        state = Mutex(
            State(
                items: .init(repeating: [], count: method.isStreamed ? 0 : count),
                lastProgress: request.received))
        if !method.input.failures.isEmpty { reportFailures() }
    }

    /// Elements that are no texts have their errors before anything is computed.
    private func reportFailures() {
        var json = JSONWriter()
        var ends: [Int] = []
        for (index, error) in method.input.failures {
            json.failedItem(index, error)
            ends.append(json.bytes.count)
        }
        take(json, indices: method.input.failures.map(\.index), ends: ends, tokenCount: 0)
    }

    func begin() { request.begin() }

    func receive(_ results: [EmbeddingJob.TextResult]) {
        var json = JSONWriter()
        var (indices, ends): ([Int], [Int]) = ([], [])
        var tokens = 0
        for result in results {
            let index = method.input.place(result.index)
            switch result.value {
            case .vector(let vector, let tokenCount, let droppedTokenCount):
                json.beginObject()
                json.key("object")
                json.string("embedding")
                json.key("index")
                json.integer(index)
                method.encoding.write(vector, to: &json)
                json.key("tokens")
                json.integer(tokenCount)
                json.key("truncated")
                json.bool(droppedTokenCount > 0)
                json.endObject()
                tokens += tokenCount
            case .failure(let error):
                if method.input.isSingle { state.withLock { $0.failure = RPCError(error) } }
                json.failedItem(index, RPCError(error))
            case .encoding, .tokenCount: continue
            }
            indices.append(index)
            ends.append(json.bytes.count)
        }
        take(json, indices: indices, ends: ends, tokenCount: tokens)
    }

    /// - Parameters:
    ///   - json: data objects with commas between them.
    ///   - ends: where each ends.
    private func take(_ json: JSONWriter, indices: [Int], ends: [Int], tokenCount: Int) {
        let reports = state.withLock { state -> Int? in
            // The job may have been cancelled while its batch was computed.
            guard !state.hasEnded else { return nil }
            state.tokenCount += tokenCount
            state.doneCount += indices.count
            if !method.isStreamed {
                var start = 0
                for (index, end) in zip(indices, ends) {
                    state.items[index] = json.bytes[start..<end]
                    start = end + 1
                }
            }
            let now = ContinuousClock.now
            guard method.reportsProgress, now - state.lastProgress >= Self.progressInterval else {
                return nil
            }
            state.lastProgress = now
            return state.doneCount
        }
        let isError = state.withLock { method.input.isSingle && $0.failure != nil }
        if method.isStreamed, !isError { sendPart(json) }
        if let reports { sendProgress(reports) }
    }

    private var isWanted: Bool { state.withLock { !$0.hasEnded } }

    private func sendPart(_ items: JSONWriter) {
        var params = JSONWriter()
        params.beginObject()
        params.key("id")
        params.value(request.answer.id)
        params.key("data")
        params.beginArray()
        params.append(items)
        params.endArray()
        params.endObject()
        request.answer.notify("embed/partial", params) { isWanted }
    }

    private func sendProgress(_ done: Int) {
        var params = JSONWriter()
        params.beginObject()
        params.key("id")
        params.value(request.answer.id)
        params.key("done")
        params.integer(done)
        params.key("total")
        params.integer(count)
        params.endObject()
        request.answer.notify("$/progress", params) { isWanted }
    }

    func end(_ end: EmbeddingJob.End) {
        let state = state.withLock { state in
            defer {
                state.hasEnded = true
                state.items = []
            }
            return state
        }
        guard end == .finished else { return request.fail(end) }
        if let failure = state.failure { return request.fail(failure) }
        if method.isStreamed {
            var json = JSONWriter()
            json.beginObject()
            json.key("object")
            json.string("list")
            writeMembers(state.tokenCount, to: &json)
            json.endObject()
            request.succeed(json)
        } else {
            request.succeed(
                DataList.pieces(state.items) { writeMembers(state.tokenCount, to: &$0) })
        }
    }

    private func writeMembers(_ tokenCount: Int, to json: inout JSONWriter) {
        json.key("model")
        json.string(modelName)
        json.key("precision")
        json.string(method.encoding.precision.rawValue)
        if method.encoding.precision == .binary || method.encoding.precision == .ubinary {
            json.key("bit_order")
            json.string("big")
        }
        json.object("usage") { json in
            json.count("prompt_tokens", tokenCount)
            json.count("total_tokens", tokenCount)
        }
        request.writeTimings(to: &json)
    }
}
