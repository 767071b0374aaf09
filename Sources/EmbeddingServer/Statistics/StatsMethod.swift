import Histogram
import JSON

/// The method `stats`: counters, queue, memory, latency.
enum StatsMethod {
    static func result(_ state: ServerState) -> JSONWriter {
        var json = JSONWriter()
        json.beginObject()
        json.key("uptime_seconds")
        json.number(((ContinuousClock.now - state.requests.start).seconds * 1e3).rounded() / 1e3)
        json.object("requests") { json in
            json.count("active", state.activeRequestCount)
            json.count("lines", state.requests.lineCount)
            json.object("succeeded") { json in
                for method in RPCMethod.allCases {
                    guard let count = state.requests.succeeded[method] else { continue }
                    json.count(method.rawValue, count)
                }
            }
            json.object("failed") { json in
                for (code, count) in state.requests.failed.sorted(by: { $0.key > $1.key }) {
                    json.count(String(code), count)
                }
            }
            json.count("cancel_notifications", state.requests.cancellationCount)
        }
        json.object("engine") { json in
            json.count("texts", state.engine.textCount)
            json.count("tokens", state.engine.tokenCount)
            json.count("batches", state.engine.batchCount)
            json.count("shared_texts", state.engine.sharedTextCount)
            json.count("shrunk_batches", state.engine.shrunkBatchCount)
            json.count("memory_releases", state.engine.releaseCount)
            json.key("compute_seconds")
            json.number((state.engine.computeSeconds * 1e6).rounded() / 1e6)
            json.key("seconds_per_token")
            json.number((state.secondsPerToken * 1e9).rounded() / 1e9)
        }
        json.object("queue") { json in
            json.count("jobs", state.engine.jobCount)
            json.count("texts", state.engine.waitingTextCount)
            json.count("tokens", state.engine.waitingTokenCount)
            json.count("busy_workers", state.engine.busyWorkerCount)
        }
        json.object("cache") { json in
            json.count("hits", state.engine.cacheHitCount)
            json.count("misses", state.engine.cacheMissCount)
            json.count("bytes", state.engine.cacheByteCount)
        }
        json.object("memory") { json in
            json.count("resident_bytes", state.residentByteCount)
            json.count("peak_resident_bytes", state.peakResidentByteCount)
            json.count("max_memory_bytes", state.memoryCeiling)
            json.count("request_bytes", state.requestByteCount)
            json.count("output_bytes", state.outputByteCount)
        }
        json.object("latency_ms") { json in
            for method in RPCMethod.allCases {
                guard let histogram = state.requests.latencies[method] else { continue }
                json.object(method.rawValue) { json in
                    for (name, percentile) in [("p50", 50.0), ("p90", 90), ("p99", 99)] {
                        json.key(name)
                        json.number(Double(histogram.valueAtPercentile(percentile)) / 1000)
                    }
                    json.key("max")
                    json.number(Double(histogram.max) / 1000)
                    json.count("count", Int(histogram.totalCount))
                }
            }
        }
        json.endObject()
        return json
    }
}

extension JSONWriter {
    mutating func object(_ name: String, _ members: (inout JSONWriter) -> Void) {
        key(name)
        beginObject()
        members(&self)
        endObject()
    }

    mutating func count(_ name: String, _ value: Int) {
        key(name)
        integer(value)
    }
}
