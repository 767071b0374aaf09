import ArgumentParser
import EmbeddingEngine
import JSON
import Transformer

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure how fast this machine embeds.",
        discussion: """
            Both backends compute the same texts in turns, in one process; the figures are
            medians of the rounds. The share of the peak is that of useful operations (the
            texts' own tokens, no padding) in what all threads can multiply and add in
            registers at best, measured in the same rounds. Stages are shares of one thread's time.
            """)

    @OptionGroup var model: ModelOptions

    @Option(
        help: ArgumentHelp(
            "Tokens of a text, or \"mixed\" (16 to 256), with commas between.", valueName: "list"))
    var lengths = "16,128,256,mixed"

    @Option(help: ArgumentHelp("Rounds.", valueName: "count")) var rounds = 5

    @Option(help: ArgumentHelp("About how long a measurement takes.", valueName: "seconds"))
    var seconds = 1.0

    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard (1...1000).contains(rounds) else {
            throw ValidationError("--rounds must be within 1 and 1000.")
        }
        guard (0.01...3600).contains(seconds) else {
            throw ValidationError("--seconds must be within 0.01 and 3600.")
        }
    }

    mutating func run() throws {
        let first = try model.embedder()
        let settings = first.model.settings
        let window = settings.maximumTokenCount
        let workloads = try lengths.split(separator: ",").map { name in
            guard let workload = BenchWorkload(String(name), window: window) else {
                throw CommandFailure(
                    .usage,
                    "--lengths takes numbers within \(BenchWorkload.least) and \(window), and \"mixed\": \"\(name)\""
                )
            }
            return workload
        }
        let words = BenchWorkload.words(first.model.tokenizer)
        guard !words.isEmpty else {
            throw CommandFailure(.dataError, "the model's vocabulary has no English words")
        }
        let backends: [Backend] =
            try model.compute.chosenBackend().map { [$0] }
            ?? [.simd, .openblas].filter(\.isInstalled)
        var embedders: [Embedder] = []
        for backend in backends {
            embedders.append(Embedder(first.model.on(backend), first.configuration))
        }
        var runs: [BenchRun] = []
        for workload in workloads {
            for embedder in embedders {
                runs.append(
                    try BenchRun(
                        embedder, workload, words: words,
                        seconds: seconds / Double(embedders.count)))
            }
        }
        let threads = first.configuration.threadCount
        var peaks: [Double] = []
        for round in 0..<rounds {
            for index in runs.indices {
                try Signals.check("in round \(round + 1) of \(rounds)")
                try runs[index].measure()
                peaks.append(MachinePeak.gigaflops(threadCount: threads, seconds: 0.02))
            }
            StandardError.show("round \(round + 1) of \(rounds)")
        }
        StandardError.clear()
        try report(runs, peak: peaks.max() ?? .nan, threads: threads, name: settings.name)
    }

    private func report(_ runs: [BenchRun], peak: Double, threads: Int, name: String) throws {
        let stages = try runs.map { try $0.stages() }
        if json {
            printJSON(runs, stages, peak: peak, threads: threads, name: name)
            return
        }
        print("\(name), \(threads) threads, peak \(peak.fixed(0)) GFLOPS (float32 multiply-add)\n")
        var table = Table(
            ["backend", "tokens", "texts/s", "tokens/s", "GFLOPS", "of peak", "one text, ms"],
            left: [0, 1])
        for run in runs {
            table.add([
                run.backend.rawValue, run.workload.name, run.textsPerSecond.fixed(1),
                run.tokensPerSecond.fixed(0), run.gigaflops.fixed(1),
                (100 * run.gigaflops / peak).fixed(1) + " %", (1000 * run.latency).fixed(2),
            ])
        }
        table.print()
        print()
        var shares = Table(["backend", "tokens"] + stages[0].map(\.name), left: [0, 1])
        for (run, stages) in zip(runs, stages) {
            shares.add(
                [run.backend.rawValue, run.workload.name]
                    + stages.map { (100 * $0.share).fixed(1) + " %" })
        }
        shares.print()
    }

    private func printJSON(
        _ runs: [BenchRun], _ stages: [[(name: String, share: Double)]], peak: Double,
        threads: Int, name: String
    ) {
        let results = zip(runs, stages).map { run, stages in
            JSONValue.object([
                .init("backend", .string(run.backend.rawValue)),
                .init("backend_detail", .string(run.backend.description)),
                .init("tokens", .string(run.workload.name)),
                .init("texts_per_second", .number(run.textsPerSecond)),
                .init("tokens_per_second", .number(run.tokensPerSecond)),
                .init("gflops", .number(run.gigaflops)),
                .init("share_of_peak", .number(run.gigaflops / peak)),
                .init("one_text_ms", .number(1000 * run.latency)),
                .init("stages", .object(stages.map { .init($0.name, .number($0.share)) })),
            ])
        }
        JSONValue.object([
            .init("model", .string(name)),
            .init("threads", JSONValue.integer(threads)),
            .init("rounds", JSONValue.integer(rounds)),
            .init("peak_gflops", .number(peak)),
            .init("results", .array(results)),
        ]).printLine()
    }
}
