import EmbeddingEngine
import JSON
import Tokenization

/// The parameters of `embed`.
struct EmbedMethod {
    var input: TextInput
    var request = Embedder.Request()
    var encoding = VectorEncoding()
    var isStreamed = false
    var reportsProgress = false
    var priority = 0
    /// Counted from the request's arrival.
    var timeout: Duration?

    static let parameters: Set<String> = [
        "input", "inputs", "encoding_format", "dimensions", "normalize", "truncate",
        "truncation_direction", "max_tokens", "prompt", "precision", "stream", "progress",
        "priority", "deadline_ms", "model", "user",
    ]

    /// - Throws: `RPCError` −32602.
    init(
        _ params: RPCParameters, _ model: EmbeddingModel, textLimit: Int
    ) throws(RPCError) {
        try params.checkNames(Self.parameters)
        try params.checkModel(model)
        _ = try params.string("user")
        input = try TextInput(
            params, limit: textLimit, prompt: try params.string("prompt"))
        encoding.format = try params.choice("encoding_format", default: .float)
        encoding.precision = try params.choice("precision", default: .float32)
        request = try Embedder.Request(params, model)
        request.truncates = try params.bool("truncate", default: true)
        if params["normalize"] != nil {
            request.normalize = try params.bool("normalize", default: true)
        }
        request.dimension = try params.int("dimensions", within: 1...model.dimension)
        isStreamed = try params.bool("stream", default: false)
        reportsProgress = try params.bool("progress", default: false)
        priority = try params.int("priority", within: -100...100) ?? 0
        timeout = try params.int("deadline_ms", within: 0...Int(Int32.max)).map(
            Duration.milliseconds)
    }

    /// About what the request takes in memory until its answer is written.
    func byteCount(_ model: EmbeddingModel) -> Int {
        let vector = encoding.byteCount(dimension: request.dimension ?? model.dimension)
        return input.byteCount + (isStreamed ? 0 : input.count * vector)
    }
}

extension Embedder.Request {
    /// The window: `max_tokens` and `truncation_direction`.
    ///
    /// - Throws: `RPCError` −32602.
    init(_ params: RPCParameters, _ model: EmbeddingModel) throws(RPCError) {
        self.init()
        maximumTokenCount = try params.int(
            "max_tokens", within: 2...model.settings.configuration.maximumPositionCount)
        truncationDirection = try params.choice(
            "truncation_direction", default: Truncation.Direction.right)
    }
}

extension RPCParameters {
    /// OpenAI's clients name a model; another than the one that is loaded is an error.
    ///
    /// - Throws: `RPCError` −32602.
    func checkModel(_ model: EmbeddingModel) throws(RPCError) {
        guard let name = try string("model"), name != model.settings.name else { return }
        throw .badParameter(
            "model", "\"\(name.shortened)\", but \"\(model.settings.name)\" is loaded")
    }
}
