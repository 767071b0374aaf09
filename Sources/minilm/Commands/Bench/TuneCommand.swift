import ArgumentParser
import EmbeddingEngine
import JSON
import Transformer

struct TuneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Measure what is fastest on this machine, and remember it.",
        discussion: """
            Tries backends, threads and batch sizes on texts of mixed lengths, and keeps
            the best for this model on this processor. Without it a trial of some ten
            milliseconds at the first start chooses the backend. `minilm info` shows what
            is in force; options and environment variables of other commands go first.

            What is remembered stands in $MINILM_TUNING_FILE ("none" for nowhere), else in
            minilm/tuning.json in $XDG_CACHE_HOME or ~/.cache.
            """)

    @OptionGroup var path: ModelPathOption

    @Option(help: ArgumentHelp("About how long a measurement takes.", valueName: "seconds"))
    var seconds = 1.0

    @Flag(help: "Only measure: remember nothing.") var dryRun = false

    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard (0.01...3600).contains(seconds) else {
            throw ValidationError("--seconds must be within 0.01 and 3600.")
        }
    }

    mutating func run() throws {
        let model = try EmbeddingModel(path: try ModelOptions.path(path.model))
        let words = BenchWorkload.words(model.tokenizer)
        guard let workload = BenchWorkload("mixed", window: model.settings.maximumTokenCount),
            !words.isEmpty
        else { throw CommandFailure(.dataError, "the model's vocabulary has no English words") }
        let trial = Tuner.trial(model)
        let processors = ProcessorCount.available
        let threads = Set([1, (processors + 1) / 2, processors]).sorted()
        // One thing at a time, each with the best of what was found before.
        var best = trial
        var measured: [(tuning: Tuning, rate: Double)] = []
        func consider(_ candidates: [Tuning]) throws {
            StandardError.show("\(measured.count) measurements")
            var runs = try candidates.map { tuning in
                try BenchRun(
                    Embedder(
                        model.on(tuning.backend),
                        .init(
                            threadCount: tuning.threadCount,
                            batchTokenCount: tuning.batchTokenCount)), workload, words: words,
                    seconds: seconds / 3)
            }
            for _ in 0..<3 {
                for index in runs.indices {
                    try Signals.check("; nothing was remembered")
                    try runs[index].measure()
                }
            }
            let rates = runs.map(\.tokensPerSecond)
            for (tuning, rate) in zip(candidates, rates) { measured.append((tuning, rate)) }
            // What was in force stays unless another is clearly faster.
            if let first = rates.first, let top = rates.max(), top > 1.05 * first,
                let index = rates.firstIndex(of: top)
            {
                best = candidates[index]
            }
        }
        try consider(
            [best]
                + Backend.installed.filter { $0 != best.backend }.map {
                    best.with(backend: $0, batchTokens: $0.standardBatchTokenCount)
                })
        try consider(
            [best] + threads.filter { $0 != best.threadCount }.map { best.with(threads: $0) })
        try consider(
            [best]
                + [64, 128, 256, 512, 1024].filter { $0 != best.batchTokenCount }.map {
                    best.with(batchTokens: $0)
                })
        StandardError.clear()
        best.basis = .measured
        let cache = dryRun ? nil : TuningCache.standard
        let isKept = cache?.remember(best, TuningCache.key(model)) ?? false
        report(best, measured, keptIn: isKept ? cache?.path : nil)
        if let cache, !isKept {
            throw CommandFailure(.cannotCreate, "cannot write \(cache.path)")
        }
    }

    private func report(
        _ best: Tuning, _ measured: [(tuning: Tuning, rate: Double)], keptIn path: String?
    ) {
        if json {
            let tried = measured.map {
                JSONValue.object(
                    $0.tuning.members + [.init("tokens_per_second", .number($0.rate))])
            }
            JSONValue.object(
                best.members + [
                    .init("measurements", .array(tried)), .init("file", .optional(path)),
                ]
            ).printLine()
            return
        }
        var table = Table(["backend", "threads", "batch tokens", "tokens/s"])
        for (tuning, rate) in measured {
            table.add([
                tuning.backend.rawValue, String(tuning.threadCount),
                String(tuning.batchTokenCount), rate.fixed(0),
            ])
        }
        table.print()
        print(
            "\nbest: \(best.backend.rawValue), \(best.threadCount) threads, "
                + "\(best.batchTokenCount) tokens a batch"
                + (path.map { "; remembered in \($0)" } ?? ""))
    }
}

extension Tuning {
    fileprivate func with(
        backend: Backend? = nil, threads: Int? = nil, batchTokens: Int? = nil
    ) -> Tuning {
        var tuning = self
        if let backend { tuning.backend = backend }
        if let threads { tuning.threadCount = threads }
        if let batchTokens { tuning.batchTokenCount = batchTokens }
        return tuning
    }

    fileprivate var members: [JSONValue.Member] {
        [
            .init("backend", .string(backend.rawValue)),
            .init("threads", JSONValue.integer(threadCount)),
            .init("batch_tokens", JSONValue.integer(batchTokenCount)),
        ]
    }
}
