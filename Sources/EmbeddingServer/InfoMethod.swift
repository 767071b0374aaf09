import EmbeddingEngine
import JSON
import Transformer

/// The method `info`: what runs here.
struct InfoMethod {
    let embedder: Embedder
    let limits: Server.Limits

    func run(into json: inout JSONWriter) {
        let settings = embedder.model.settings
        json.beginObject()
        json.key("engine")
        json.string("minilm")
        json.key("version")
        json.string(EngineVersion.current)
        json.key("model")
        json.beginObject()
        json.key("name")
        json.string(settings.name)
        json.key("fingerprint")
        json.string(settings.fingerprint)
        json.key("dimension")
        json.integer(embedder.model.dimension)
        json.key("max_tokens")
        json.integer(settings.maximumTokenCount)
        json.key("pooling")
        json.string(settings.pooling.rawValue)
        json.key("normalize")
        json.bool(settings.normalize)
        json.endObject()
        json.key("backend")
        json.string("openblas")
        json.key("backend_detail")
        json.string(BertEncoder.backendDescription)
        json.key("threads")
        json.integer(embedder.configuration.threadCount)
        json.key("batch_tokens")
        json.integer(embedder.configuration.batchTokenCount)
        json.key("limits")
        json.beginObject()
        json.key("max_line_bytes")
        json.integer(limits.lineByteCount)
        json.key("max_client_batch_size")
        json.integer(limits.textCount)
        json.key("requests_per_batch")
        json.integer(limits.requestCount)
        json.endObject()
        json.endObject()
    }
}
