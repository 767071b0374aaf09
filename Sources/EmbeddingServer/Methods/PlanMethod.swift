import EmbeddingEngine
import JSON
import Synchronization

/// The method `plan`: what embedding texts would cost, before any is embedded.
final class PlanMethod: EmbeddingJobReceiver {
    private let request: ActiveRequest
    private let embedder: Embedder
    private let window: Int
    private let requestByteCount: Int
    private let lengths: Mutex<[Int]>

    private static let parameters = EmbedMethod.parameters.union(["lengths"])

    /// What a call asks to plan: texts, or lengths in tokens.
    enum Subject {
        case texts(EmbedMethod)
        case lengths([Int], byteCount: Int)
    }

    /// - Throws: `RPCError` −32602.
    static func subject(
        _ params: RPCParameters, _ model: EmbeddingModel, textLimit: Int
    ) throws(RPCError) -> Subject {
        try params.checkNames(parameters)
        guard let value = params["lengths"] else {
            return .texts(try EmbedMethod(params, model, textLimit: textLimit))
        }
        guard params["input"] == nil, params["inputs"] == nil else {
            throw .badParameter("lengths", "given beside input")
        }
        guard let elements = value.array else {
            throw .badParameter("lengths", "\(value.typeName), expected an array of integers")
        }
        guard elements.count <= textLimit else {
            throw .tooLarge("max_client_batch_size", count: elements.count, limit: textLimit)
        }
        let window =
            try Embedder.Request(params, model).maximumTokenCount
            ?? model.settings.maximumTokenCount
        var lengths: [Int] = []
        for (index, element) in elements.enumerated() {
            guard let length = element.int, length >= 2 else {
                throw .badParameter("lengths", "element \(index) is no integer of 2 or more")
            }
            lengths.append(min(length, window))
        }
        var encoding = VectorEncoding()
        encoding.format = try params.choice("encoding_format", default: .float)
        encoding.precision = try params.choice("precision", default: .float32)
        let isStreamed = try params.bool("stream", default: false)
        let dimension =
            try params.int("dimensions", within: 1...model.dimension) ?? model.dimension
        let answer = isStreamed ? 0 : encoding.byteCount(dimension: dimension)
        // A token stands for four bytes or so of text.
        return .lengths(
            lengths, byteCount: lengths.reduce(0) { $0 + 4 * $1 + 48 } + lengths.count * answer)
    }

    init(_ request: ActiveRequest, _ embedder: Embedder, _ method: EmbedMethod, window: Int) {
        self.request = request
        self.embedder = embedder
        self.window = window
        requestByteCount = method.byteCount(embedder.model)
        lengths = Mutex(.init(repeating: 2, count: method.input.texts.count))
    }

    func begin() { request.begin() }

    func receive(_ results: [EmbeddingJob.TextResult]) {
        lengths.withLock { lengths in
            for result in results {
                guard case .tokenCount(let count) = result.value else { continue }
                lengths[result.index] = min(count, window)
            }
        }
    }

    func end(_ end: EmbeddingJob.End) {
        guard end == .finished else { return request.fail(end) }
        request.succeed(
            Self.result(lengths.withLock { $0 }, byteCount: requestByteCount, embedder))
    }

    static func result(_ lengths: [Int], byteCount: Int, _ embedder: Embedder) -> JSONWriter {
        let prediction = embedder.plan(lengths: lengths, byteCount: byteCount)
        var json = JSONWriter()
        json.beginObject()
        json.key("texts")
        json.integer(lengths.count)
        json.key("tokens")
        json.integer(lengths.reduce(0, +))
        json.key("batches")
        json.integer(prediction.batchCount)
        json.key("peak_bytes")
        json.integer(prediction.peakByteCount)
        json.key("max_memory_bytes")
        json.integer(prediction.ceiling)
        json.key("fits")
        json.bool(prediction.fits)
        json.key("seconds")
        json.number((prediction.seconds * 1e6).rounded() / 1e6)
        json.endObject()
        return json
    }
}
