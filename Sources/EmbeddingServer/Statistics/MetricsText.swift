import Histogram

/// The server's state in the text format that Prometheus reads.
///
/// https://prometheus.io/docs/instrumenting/exposition_formats/
struct MetricsText {
    private(set) var text = ""

    init(_ state: ServerState) {
        counter("requests_total", "Requests answered with a result, by method.")
        for method in RPCMethod.allCases {
            guard let count = state.requests.succeeded[method] else { continue }
            sample("requests_total", #"method="\#(method.rawValue)""#, "\(count)")
        }
        counter("request_errors_total", "Requests answered with an error, by its code.")
        for (code, count) in state.requests.failed.sorted(by: { $0.key > $1.key }) {
            sample("request_errors_total", #"code="\#(code)""#, "\(count)")
        }
        counter("lines_total", "Lines read.", state.requests.lineCount)
        counter("texts_total", "Texts computed.", state.engine.textCount)
        counter("tokens_total", "Tokens computed.", state.engine.tokenCount)
        counter("batches_total", "Batches computed.", state.engine.batchCount)
        counter(
            "shared_texts_total", "Texts that shared another's computation.",
            state.engine.sharedTextCount)
        counter("cache_hits_total", "Texts found in the cache.", state.engine.cacheHitCount)
        counter("cache_misses_total", "Texts not found in the cache.", state.engine.cacheMissCount)
        counter(
            "shrunk_batches_total", "Batches made smaller for want of memory.",
            state.engine.shrunkBatchCount)
        header("compute_seconds_total", "counter", "Seconds that workers computed.")
        sample("compute_seconds_total", "", "\(state.engine.computeSeconds)")
        gauge("active_requests", "Requests in work.", state.activeRequestCount)
        gauge("waiting_texts", "Texts that wait.", state.engine.waitingTextCount)
        gauge(
            "waiting_tokens", "Tokens that wait, of tokenized texts.",
            state.engine.waitingTokenCount)
        gauge("busy_workers", "Workers that compute or tokenize.", state.engine.busyWorkerCount)
        gauge("cache_bytes", "Bytes of the cache.", state.engine.cacheByteCount)
        gauge("resident_bytes", "Resident set of the process.", state.residentByteCount)
        gauge("max_memory_bytes", "Ceiling of the resident set.", state.memoryCeiling)
        gauge("output_bytes", "Answers that wait to be written.", state.outputByteCount)
        header("request_duration_seconds", "summary", "Time from a request's line to its answer.")
        for method in RPCMethod.allCases {
            guard let histogram = state.requests.latencies[method] else { continue }
            let label = #"method="\#(method.rawValue)""#
            for quantile in [0.5, 0.9, 0.99] {
                let value = Double(histogram.valueAtPercentile(100 * quantile)) / 1e6
                sample(
                    "request_duration_seconds", #"\#(label),quantile="\#(quantile)""#, "\(value)")
            }
            sample(
                "request_duration_seconds_sum", label,
                "\(state.requests.latencySums[method] ?? 0)")
            sample("request_duration_seconds_count", label, "\(histogram.totalCount)")
        }
    }

    private mutating func header(_ name: String, _ type: String, _ help: String) {
        text += "# HELP minilm_\(name) \(help)\n# TYPE minilm_\(name) \(type)\n"
    }

    private mutating func sample(_ name: String, _ labels: String, _ value: String) {
        text += "minilm_\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(value)\n"
    }

    private mutating func counter(_ name: String, _ help: String, _ value: Int? = nil) {
        header(name, "counter", help)
        if let value { sample(name, "", "\(value)") }
    }

    private mutating func gauge(_ name: String, _ help: String, _ value: Int) {
        header(name, "gauge", help)
        sample(name, "", "\(value)")
    }
}
