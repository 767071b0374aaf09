import EmbeddingEngine
import Foundation
import TestSupport
import Testing
import Transformer

@Suite struct TuningTests {
    private let model: EmbeddingModel
    private let directory: TemporaryDirectory

    init() throws {
        model = try EmbeddingModel(path: TinyModel.path)
        directory = try TemporaryDirectory()
    }

    @Test(
        arguments: [
            ([.simd: 100, .openblas: 50], Backend.simd), ([.simd: 100, .openblas: 109], .simd),
            ([.simd: 100, .openblas: 111], .openblas), ([:], .simd),
        ] as [([Backend: Double], Backend)])
    func theFastestIsTakenAndSIMDWhereTheyAreClose(rates: [Backend: Double], expected: Backend) {
        #expect(Tuner.fastest(rates, margin: 1.1) == expected)
    }

    @Test func aTrialMeasuresBothBackends() {
        let tuning = Tuner.trial(model)
        #expect(tuning.basis == .trial)
        #expect(Set(tuning.rates.keys) == Set(Backend.allCases))
        #expect(tuning.rates.values.allSatisfy { $0 > 0 })
        #expect(tuning.threadCount == ProcessorCount.available)
    }

    @Test func whatWasFoundIsRemembered() throws {
        let cache = TuningCache(path: directory.path("deep/er/tuning.json"))
        let first = Tuner.tuning(model, cache: cache)
        #expect(first.basis == .trial)
        // Another result, so that it is seen where the second comes from.
        var other = first
        other.threadCount = 7
        other.batchTokenCount = 99
        other.backend = .openblas
        #expect(cache.remember(other, TuningCache.key(model)))
        let second = Tuner.tuning(model, cache: cache)
        other.basis = .remembered
        #expect(second == other)
    }

    /// A cache is a hint: nothing in it, or in its way, ends a program.
    @Test(
        arguments: [
            "", "{", "[]", "null", #"{"KEY":7}"#, #"{"KEY":{"backend":"cuda"}}"#,
            #"{"KEY":{"backend":"simd","threads":0,"batch_tokens":512}}"#,
            #"{"KEY":{"backend":"simd","threads":65,"batch_tokens":512}}"#,
            #"{"KEY":{"backend":"simd","threads":1,"batch_tokens":-1}}"#,
            #"{"KEY":{"backend":"simd","threads":1e300,"batch_tokens":512}}"#,
            #"{"other":{"backend":"openblas","threads":1,"batch_tokens":512}}"#,
        ])
    func aDamagedCacheIsPassedOver(text: String) throws {
        let text = text.replacingOccurrences(of: "KEY", with: TuningCache.key(model))
        let path = try directory.write("tuning.json", text.utf8)
        #expect(Tuner.tuning(model, cache: TuningCache(path: path)).basis == .trial)
        // And was put right.
        #expect(Tuner.tuning(model, cache: TuningCache(path: path)).basis == .remembered)
    }

    @Test(arguments: ["/dev/null/tuning.json", "/proc/tuning.json", "/dev/full"])
    func aCacheThatCannotBeWrittenIsLetBe(path: String) {
        let cache = TuningCache(path: path)
        #expect(!cache.remember(Tuner.trial(model), "key"))
        #expect(Tuner.tuning(model, cache: cache).basis == .trial)
    }

    @Test func aCacheKeepsTheModelsOfLate() throws {
        let cache = TuningCache(path: directory.path("tuning.json"))
        let tuning = Tuner.trial(model)
        for n in 0..<40 { #expect(cache.remember(tuning, "key \(n)")) }
        let text = try String(contentsOfFile: cache.path, encoding: .utf8)
        #expect(text.contains("\"key 39\""))
        #expect(!text.contains("\"key 0\""))
        #expect(text.utf8.count < 16_384)
    }
}

@Suite struct TeamTests {
    /// A single text is computed by all threads, with the bits that one gives.
    @Test(arguments: [1, 2, 3, 8, 16])
    func anyNumberOfThreadsGivesTheSameBits(threads: Int) throws {
        let texts = (0..<60).map { n in
            (0..<(n % 30)).map { "word\(n * 7 + $0)" }.joined(separator: " ")
        }
        let one = try TinyModel.embedder(threads: 1)
        let many = try TinyModel.embedder(threads: threads, batchTokens: 64)
        let expected = try one.embed(texts).vectors.map(\.bitPattern)
        #expect(try many.embed(texts).vectors.map(\.bitPattern) == expected)
        for (n, text) in texts.enumerated() where n % 7 == 0 {
            let width = one.model.dimension
            let alone = try many.embed([text]).vectors.map(\.bitPattern)
            #expect(alone == Array(expected[n * width..<(n + 1) * width]))
        }
    }

    /// Helpers come and go while several callers embed.
    @Test func callersAtOnceAreServedByTeamsAndAlone() async throws {
        let embedder = try TinyModel.embedder(threads: 4, batchTokens: 64)
        let expected = try embedder.embed(["one text", "another text"]).vectors
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<50 {
                        let vectors = Result {
                            try embedder.embed(["one text", "another text"]).vectors
                        }
                        #expect((try? vectors.get()) == expected)
                    }
                }
            }
        }
    }
}
