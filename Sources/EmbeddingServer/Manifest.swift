import EmbeddingEngine
import JSON

/// What a host program needs to know to load the engine: how it is started, the methods with their
/// schemas, errors, limits.
public enum Manifest {
    /// The schema file of each method, compiled in.
    private static let schemas: [[UInt8]] = [
        PackageResources.initialize_json, PackageResources.embed_json,
        PackageResources.tokenize_json, PackageResources.count_json, PackageResources.plan_json,
        PackageResources.info_json, PackageResources.stats_json,
        PackageResources.cancelRequest_json, PackageResources.shutdown_json,
    ]

    private static let errors: [(code: Int, meaning: String)] = [
        (-32700, "not JSON or not UTF-8"), (-32600, "not a request"), (-32601, "no such method"),
        (-32602, "bad params; data.param names the one"), (-32603, "internal error"),
        (-32001, "overloaded; data.retry_after_ms"),
        (-32002, "over a limit; data.limit names it"),
        (-32003, "a text is too long and truncate is false"),
        (-32004, "over the memory budget; data.predicted_bytes, data.max_memory_bytes"),
        (-32005, "the deadline has passed"), (-32800, "cancelled"),
    ]

    private static let environment = [
        "MINILM_MODEL", "MINILM_THREADS", "MINILM_MAX_BATCH_TOKENS", "MINILM_MAX_MEMORY",
        "MINILM_MEMORY_THRESHOLD", "MINILM_CACHE_BYTES", "MINILM_BACKEND", "MINILM_MAX_LINE_BYTES",
        "MINILM_MAX_CLIENT_BATCH_SIZE", "MINILM_MAX_CONCURRENT_REQUESTS", "MINILM_METRICS_FILE",
        "MINILM_LOG_LEVEL",
    ]

    /// The manifest as JSON.
    ///
    /// - Parameter program: the path that a host spawns.
    /// - Throws: `JSONError` when a schema file is not JSON.
    public static func json(program: String) throws(JSONError) -> JSONWriter {
        var json = JSONWriter()
        json.beginObject()
        json.key("name")
        json.string("minilm")
        json.key("version")
        json.string(EngineVersion.current)
        json.key("protocol_versions")
        json.strings([InfoMethod.protocolVersion])
        json.key("transport")
        json.string("JSON-RPC 2.0 over stdin and stdout, a line each")
        json.key("command")
        json.strings([program, "serve"])
        json.key("environment")
        json.strings(environment)
        json.key("methods")
        json.beginObject()
        for bytes in schemas {
            let schema = try JSONValue(parsing: bytes)
            json.key(schema["name"]?.string ?? "")
            json.value(.object((schema.members ?? []).filter { $0.key != "name" }))
        }
        json.endObject()
        json.key("errors")
        json.beginArray()
        for error in errors {
            json.beginObject()
            json.key("code")
            json.integer(error.code)
            json.key("meaning")
            json.string(error.meaning)
            json.endObject()
        }
        json.endArray()
        let limits = Server.Limits()
        json.object("limits") { json in
            json.count("max_line_bytes", limits.lineByteCount)
            json.count("max_client_batch_size", limits.textCount)
            json.count("requests_per_batch", limits.requestCount)
            json.key("max_concurrent_requests")
            json.null()
        }
        json.endObject()
        return json
    }
}

extension JSONWriter {
    mutating func strings(_ values: [String]) {
        beginArray()
        for value in values { string(value) }
        endArray()
    }
}
