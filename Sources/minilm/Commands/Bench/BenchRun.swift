import EmbeddingEngine
import Tokenization
import Transformer

/// What one backend did with one workload, round by round.
struct BenchRun {
    let backend: Backend
    let workload: BenchWorkload
    private let embedder: Embedder
    private let texts: [String]
    private let lengths: [Int]
    /// Texts a second, a round.
    private(set) var rates: [Double] = []
    /// Seconds of one text alone, all rounds.
    private(set) var latencies: [Double] = []

    /// - Parameter seconds: about how long a round takes.
    init(
        _ embedder: Embedder, _ workload: BenchWorkload, words: [String], seconds: Double
    ) throws {
        self.embedder = embedder
        self.workload = workload
        backend = embedder.model.encoder.backend
        let probe = workload.texts(tokenCount: 2048, words: words)
        // The first brings the weights into memory.
        for _ in 0..<2 { _ = try embedder.embed(probe.texts) }
        let start = ContinuousClock.now
        _ = try embedder.embed(probe.texts)
        let rate = Double(probe.lengths.reduce(0, +)) / (ContinuousClock.now - start).seconds
        (texts, lengths) = workload.texts(
            tokenCount: max(2048, Int(rate * seconds)), words: words)
    }

    mutating func measure() throws {
        let start = ContinuousClock.now
        _ = try embedder.embed(texts)
        rates.append(Double(texts.count) / (ContinuousClock.now - start).seconds)
        for text in texts.prefix(20) {
            let start = ContinuousClock.now
            _ = try embedder.embed([text])
            latencies.append((ContinuousClock.now - start).seconds)
        }
    }

    var textsPerSecond: Double { rates.median }
    var tokensPerSecond: Double {
        textsPerSecond * Double(lengths.reduce(0, +)) / Double(lengths.count)
    }
    var latency: Double { latencies.median }

    /// Useful operations a second: those of the texts' own tokens.
    var gigaflops: Double {
        let configuration = embedder.model.settings.configuration
        let operations = lengths.reduce(0) { $0 + configuration.operationCount(length: $1) }
        return textsPerSecond * operations / Double(lengths.count) * 1e-9
    }

    /// The shares of one thread's time, by stage, tokenization first.
    func stages() throws -> [(name: String, share: Double)] {
        let model = embedder.model
        let profile = EncoderProfile()
        let workspace = EncoderWorkspace()
        var output: [Float] = []
        var tokenization = 0.0
        var batch = PackedBatch()
        func flush() throws {
            output = [Float](repeating: 0, count: batch.sequenceCount * model.dimension)
            try output.withUnsafeMutableBufferPointer {
                try model.encoder.forward(
                    batch, workspace: workspace, normalize: true, into: $0, profile: profile)
            }
            batch = PackedBatch()
        }
        let truncation = Truncation(maximumTokenCount: model.settings.maximumTokenCount)
        for text in texts.prefix(64) {
            let start = ContinuousClock.now
            let ids = model.tokenizer.encodeIDs(text, truncation: truncation).ids
            tokenization += (ContinuousClock.now - start).seconds
            if batch.tokenCount + ids.count > embedder.configuration.batchTokenCount { try flush() }
            batch.append(ids)
        }
        try flush()
        let total = tokenization + profile.seconds.reduce(0, +)
        return [("tokenization", tokenization / total)]
            + EncoderProfile.Stage.allCases.map {
                (String(describing: $0), profile.seconds[$0.rawValue] / total)
            }
    }
}

extension [Double] {
    /// The middle value, or the mean of the two.
    var median: Double {
        guard !isEmpty else { return .nan }
        let sorted = sorted()
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
