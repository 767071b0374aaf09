import EmbeddingEngine
import JSON
import Transformer

/// The methods `initialize` and `info`: what runs here, and what it can do.
struct InfoMethod {
    let embedder: Embedder
    let limits: Server.Limits
    /// The longest line as the memory allows it.
    let lineByteCount: Int

    /// The version of the protocol that the server speaks.
    static let protocolVersion = "1"

    func initialize() -> JSONWriter {
        var json = JSONWriter()
        json.beginObject()
        json.key("protocolVersion")
        json.string(Self.protocolVersion)
        json.object("serverInfo") { json in
            json.key("name")
            json.string("minilm")
            json.key("version")
            json.string(EngineVersion.current)
        }
        json.object("capabilities") { json in
            json.key("methods")
            json.beginArray()
            for method in RPCMethod.allCases { json.string(method.rawValue) }
            json.endArray()
            json.key("encoding_formats")
            json.beginArray()
            for format in VectorEncoding.Format.allCases { json.string(format.rawValue) }
            json.endArray()
            json.key("precisions")
            json.beginArray()
            for precision in VectorEncoding.Precision.allCases { json.string(precision.rawValue) }
            json.endArray()
            for name in ["streaming", "progress", "cancellation", "batch_requests"] {
                json.key(name)
                json.bool(true)
            }
        }
        writeLimits(to: &json)
        writeModel(to: &json)
        json.endObject()
        return json
    }

    func info() -> JSONWriter {
        var json = JSONWriter()
        json.beginObject()
        json.key("engine")
        json.string("minilm")
        json.key("version")
        json.string(EngineVersion.current)
        json.key("protocol_version")
        json.string(Self.protocolVersion)
        writeModel(to: &json)
        json.key("backend")
        json.string(embedder.model.encoder.backend.rawValue)
        json.key("backend_detail")
        json.string(embedder.model.encoder.backend.description)
        json.key("backend_reason")
        json.string(embedder.configuration.backendReason)
        json.count("threads", embedder.configuration.threadCount)
        json.count("batch_tokens", embedder.configuration.batchTokenCount)
        json.count("cache_bytes", embedder.configuration.cacheByteCount)
        writeLimits(to: &json)
        json.endObject()
        return json
    }

    private func writeModel(to json: inout JSONWriter) {
        let settings = embedder.model.settings
        json.object("model") { json in
            json.key("name")
            json.string(settings.name)
            json.key("fingerprint")
            json.string(settings.fingerprint)
            json.count("dimension", embedder.model.dimension)
            json.count("max_tokens", settings.maximumTokenCount)
            json.count("positions", settings.configuration.maximumPositionCount)
            json.key("pooling")
            json.string(settings.pooling.rawValue)
            json.key("normalize")
            json.bool(settings.normalize)
        }
    }

    private func writeLimits(to json: inout JSONWriter) {
        json.object("limits") { json in
            json.count("max_line_bytes", lineByteCount)
            json.count("max_client_batch_size", limits.textCount)
            json.count("requests_per_batch", limits.requestCount)
            json.key("max_concurrent_requests")
            if let count = limits.concurrentRequestCount {
                json.integer(count)
            } else {
                json.null()
            }
            json.count("max_memory_bytes", embedder.memoryCeiling)
        }
    }
}
