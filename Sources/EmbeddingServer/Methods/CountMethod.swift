import EmbeddingEngine
import JSON
import Synchronization

/// The method `count`: how many tokens texts have, and how many of them truncation would drop.
final class CountMethod: EmbeddingJobReceiver {
    private let request: ActiveRequest
    private let input: TextInput
    private let window: Int
    private let counts: Mutex<[Int]>

    static let parameters: Set<String> = ["input", "inputs", "max_tokens", "model"]

    /// - Throws: `RPCError` −32602.
    static func job(
        _ params: RPCParameters, _ model: EmbeddingModel, textLimit: Int
    ) throws(RPCError) -> (TextInput, EmbeddingJob) {
        try params.checkNames(parameters)
        try params.checkModel(model)
        let input = try TextInput(params, limit: textLimit)
        var job = EmbeddingJob(input.texts, try Embedder.Request(params, model))
        job.purpose = .count
        return (input, job)
    }

    init(_ request: ActiveRequest, _ input: TextInput, window: Int) {
        self.request = request
        self.input = input
        self.window = window
        counts = Mutex(.init(repeating: 0, count: input.count))
    }

    func begin() { request.begin() }

    func receive(_ results: [EmbeddingJob.TextResult]) {
        counts.withLock { counts in
            for result in results {
                guard case .tokenCount(let count) = result.value else { continue }
                counts[input.place(result.index)] = count
            }
        }
    }

    func end(_ end: EmbeddingJob.End) {
        guard end == .finished else { return request.fail(end) }
        let counts = counts.withLock { $0 }
        let failures = Dictionary(uniqueKeysWithValues: input.failures.map { ($0.index, $0.error) })
        var json = JSONWriter()
        json.beginObject()
        json.key("object")
        json.string("list")
        json.key("data")
        json.beginArray()
        for (index, count) in counts.enumerated() {
            if let error = failures[index] {
                json.failedItem(index, error)
                continue
            }
            json.beginObject()
            json.count("index", index)
            json.count("tokens", count)
            json.count("dropped", max(0, count - window))
            json.endObject()
        }
        json.endArray()
        json.key("usage")
        json.beginObject()
        json.key("prompt_tokens")
        json.integer(counts.reduce(0) { $0 + min($1, window) })
        json.key("total_tokens")
        json.integer(counts.reduce(0, +))
        json.endObject()
        request.writeTimings(to: &json)
        json.endObject()
        request.succeed(json)
    }
}
