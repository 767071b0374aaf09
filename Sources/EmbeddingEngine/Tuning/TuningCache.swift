import JSON
import Safetensors
import Transformer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file that remembers how models run best on a machine.
///
/// It is only ever a hint: where it cannot be read it is as if there were none, and what in it makes no
/// sense is passed over.
public struct TuningCache: Sendable {
    public let path: String

    public init(path: String) { self.path = path }

    /// `$MINILM_TUNING_FILE`, or `minilm/tuning.json` in the user's cache directory; nil where there is
    /// neither, or the variable is `none`.
    public static var standard: TuningCache? {
        if let path = environment("MINILM_TUNING_FILE") {
            return path == "none" ? nil : TuningCache(path: path)
        }
        if let cache = environment("XDG_CACHE_HOME"), cache.hasPrefix("/") {
            return TuningCache(path: "\(cache)/minilm/tuning.json")
        }
        return environment("HOME").map { TuningCache(path: "\($0)/.cache/minilm/tuning.json") }
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    /// What a result holds for: the processor, what of it this process may use, the program and the
    /// model.
    public static func key(_ model: EmbeddingModel) -> String {
        [
            processorName, "\(ProcessorCount.available) threads", Backend.simd.description,
            EngineVersion.current, model.settings.fingerprint,
        ].joined(separator: "; ")
    }

    private static var processorName: String {
        let line = SystemFile.read("/proc/cpuinfo")?.split(separator: "\n")
            .first { $0.hasPrefix("model name") || $0.hasPrefix("CPU part") }
        let value = line?.split(separator: ":", maxSplits: 1).last.map(String.init) ?? "unknown"
        return String(value.drop { $0 == " " })
    }

    func tuning(_ key: String) -> Tuning? {
        read()?.first { $0.key == key }.flatMap { Tuning(remembered: $0.value) }
    }

    /// Keeps a result; the file appears whole or not at all. A file that cannot be written is let be.
    ///
    /// - Returns: whether it was written.
    @discardableResult public func remember(_ tuning: Tuning, _ key: String) -> Bool {
        var entries = (read() ?? []).filter { $0.key != key }
        // The newest stand last; a machine has few models.
        entries = entries.suffix(15) + [.init(key, tuning.json)]
        var writer = JSONWriter()
        writer.value(.object(entries))
        makeDirectory()
        do throws(FileError) {
            let file = try AtomicFileWriter(path: path)
            try file.write(writer.bytes)
            try file.commit()
            return true
        } catch {
            return false
        }
    }

    private func read() -> [JSONValue.Member]? {
        guard let text = SystemFile.read(path), !text.isEmpty else { return nil }
        do {
            return try JSONValue(parsing: Array(text.utf8)).members
        } catch {
            return nil
        }
    }

    private func makeDirectory() {
        let parts = path.split(separator: "/").dropLast()
        var directory = path.hasPrefix("/") ? "" : "."
        for part in parts {
            directory += "/\(part)"
            mkdir(directory, 0o755)
        }
    }
}

extension Tuning {
    var json: JSONValue {
        .object([
            .init("backend", .string(backend.rawValue)),
            .init("threads", .integer(Int64(threadCount))),
            .init("batch_tokens", .integer(Int64(batchTokenCount))),
            .init(
                "gflops",
                .object(
                    rates.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                        .init($0.key.rawValue, .number($0.value))
                    })),
        ])
    }

    /// Nil for what this program cannot run.
    init?(remembered value: JSONValue) {
        guard let backend = value["backend"]?.string.flatMap(Backend.init),
            let threads = value["threads"]?.int, let tokens = value["batch_tokens"]?.int,
            (1...Embedder.Configuration.maximumThreadCount).contains(threads),
            (1...1_000_000).contains(tokens)
        else { return nil }
        var rates: [Backend: Double] = [:]
        for member in value["gflops"]?.members ?? [] {
            if let backend = Backend(rawValue: member.key) { rates[backend] = member.value.double }
        }
        self.init(
            backend: backend, threadCount: threads, batchTokenCount: tokens, basis: .remembered,
            rates: rates)
    }
}
