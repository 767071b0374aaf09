import EmbeddingEngine
import JSON
import Synchronization
import Tokenization

/// The method `tokenize`: ids, tokens and byte offsets of texts.
final class TokenizeMethod: EmbeddingJobReceiver {
    private let request: ActiveRequest
    private let input: TextInput
    private let tokenizer: Tokenizer
    private let items: Mutex<[ArraySlice<UInt8>]>

    static let parameters: Set<String> = [
        "input", "inputs", "truncate", "truncation_direction", "max_tokens", "model",
    ]

    /// The job that a call asks for.
    ///
    /// - Throws: `RPCError` −32602.
    static func job(
        _ params: RPCParameters, _ model: EmbeddingModel, textLimit: Int
    ) throws(RPCError) -> (TextInput, EmbeddingJob) {
        try params.checkNames(parameters)
        try params.checkModel(model)
        let input = try TextInput(params, limit: textLimit)
        var job = EmbeddingJob(input.texts, try Embedder.Request(params, model))
        job.purpose = .tokenize
        job.request.truncates = try params.bool("truncate", default: false)
        return (input, job)
    }

    init(_ request: ActiveRequest, _ input: TextInput, _ tokenizer: Tokenizer) {
        self.request = request
        self.input = input
        self.tokenizer = tokenizer
        var items = [ArraySlice<UInt8>](repeating: [], count: input.count)
        for (index, error) in input.failures {
            var json = JSONWriter()
            json.failedItem(index, error)
            items[index] = json.bytes[...]
        }
        self.items = Mutex(items)
    }

    func begin() { request.begin() }

    func receive(_ results: [EmbeddingJob.TextResult]) {
        for result in results {
            guard case .encoding(let encoding) = result.value else { continue }
            let index = input.place(result.index)
            let item = item(index, encoding)
            items.withLock { $0[index] = item }
        }
    }

    private func item(_ index: Int, _ encoding: Encoding) -> ArraySlice<UInt8> {
        var json = JSONWriter()
        json.beginObject()
        json.key("index")
        json.integer(index)
        json.members(of: encoding, tokenizer)
        json.endObject()
        return json.bytes[...]
    }

    func end(_ end: EmbeddingJob.End) {
        guard end == .finished else { return request.fail(end) }
        request.succeed(
            DataList.pieces(items.withLock { $0 }) { request.writeTimings(to: &$0) })
    }
}
