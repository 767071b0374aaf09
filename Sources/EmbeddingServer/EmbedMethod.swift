import EmbeddingEngine
import FoundationEssentials
import JSON
import Tokenization

/// The method `embed`: texts in, vectors out.
struct EmbedMethod {
    enum EncodingFormat: String, CaseIterable {
        case float, base64
    }

    private let texts: [String]
    private let format: EncodingFormat
    private var request = Embedder.Request()

    private static let parameters: Set<String> = [
        "input", "inputs", "encoding_format", "normalize", "truncate", "truncation_direction",
    ]

    /// - Throws: `RPCError` −32602, −32002.
    ///
    /// - Parameter textsBefore: the texts of the requests before this one in its batch.
    init(_ params: RPCParameters, textLimit: Int, textsBefore: Int) throws(RPCError) {
        try params.checkNames(Self.parameters)
        texts = try Self.texts(params)
        guard textsBefore + texts.count <= textLimit else {
            throw .tooLarge(
                "max_client_batch_size", count: textsBefore + texts.count, limit: textLimit)
        }
        format = try params.choice("encoding_format", default: .float)
        request.normalize = try params.bool("normalize", default: true)
        request.truncates = try params.bool("truncate", default: true)
        request.truncationDirection = try params.choice(
            "truncation_direction", default: Truncation.Direction.right)
    }

    var textCount: Int { texts.count }

    private static func texts(_ params: RPCParameters) throws(RPCError) -> [String] {
        let name = params["input"] == nil && params["inputs"] != nil ? "inputs" : "input"
        if name == "input", params["inputs"] != nil {
            throw .badParameter("inputs", "given beside input")
        }
        guard let input = params[name] else { throw .badParameter("input", "missing") }
        if let text = input.string { return [text] }
        guard let elements = input.array else {
            throw .badParameter(name, "\(input.typeName), expected a string or an array of strings")
        }
        var texts: [String] = []
        texts.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            guard let text = element.string else {
                throw .badParameter(
                    name, "element \(index) is \(element.typeName), expected a string")
            }
            texts.append(text)
        }
        return texts
    }

    /// Computes the vectors and writes the result object.
    ///
    /// - Throws: `RPCError` −32003, −32603.
    func run(_ embedder: Embedder, into json: inout JSONWriter) throws(RPCError) {
        let embeddings: Embeddings
        do throws(EmbeddingError) { embeddings = try embedder.embed(texts, request) } catch {
            if case .textTooLong(let index, let count, let limit) = error {
                throw .textTooLong(index: index, tokens: count, limit: limit)
            }
            throw .internal(error.description)
        }
        json.beginObject()
        json.key("object")
        json.string("list")
        json.key("model")
        json.string(embedder.model.settings.name)
        json.key("data")
        json.beginArray()
        for index in 0..<embeddings.count { write(embeddings, index, &json) }
        json.endArray()
        let tokens = embeddings.tokenCounts.reduce(0, +)
        json.key("usage")
        json.beginObject()
        json.key("prompt_tokens")
        json.integer(tokens)
        json.key("total_tokens")
        json.integer(tokens)
        json.endObject()
        json.endObject()
    }

    private func write(_ embeddings: Embeddings, _ index: Int, _ json: inout JSONWriter) {
        json.beginObject()
        json.key("object")
        json.string("embedding")
        json.key("index")
        json.integer(index)
        json.key("embedding")
        switch format {
        case .float:
            json.beginArray()
            for element in embeddings[index] { json.number(element) }
            json.endArray()
        case .base64:
            // Little-endian on every machine that this runs on.
            let bytes = embeddings[index].withUnsafeBytes { Data($0) }
            json.plainString(bytes.base64EncodedData())
        }
        json.key("tokens")
        json.integer(embeddings.tokenCounts[index])
        json.key("truncated")
        json.bool(embeddings.droppedTokenCounts[index] > 0)
        json.endObject()
    }
}
