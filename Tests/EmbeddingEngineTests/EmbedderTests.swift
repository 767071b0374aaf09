import EmbeddingEngine
import Synchronization
import TestSupport
import Testing
import Tokenization
import Transformer

@Suite struct EmbedderTests {
    private let texts = try! TinyModel.expectations().map(\.text)

    @Test(arguments: [1, 2, 5], [1, 7, 1024])
    func vectorsComeInTheTextsOrder(threads: Int, batchTokens: Int) throws {
        let embedder = try TinyModel.embedder(threads: threads, batchTokens: batchTokens)
        let many = (0..<20).flatMap { _ in texts }
        let embeddings = try embedder.embed(many)
        let expected = try TinyModel.expectations()
        #expect(embeddings.count == many.count)
        for i in many.indices {
            let vector = try #require(expected[i % texts.count].vectors["mean_normalized"])
            #expect(embeddings.tokenCounts[i] == expected[i % texts.count].ids.count)
            for (a, b) in zip(embeddings[i], vector) { #expect(abs(a - b) < 2e-6) }
        }
    }

    @Test func noTextsAreNoWork() throws {
        let embeddings = try TinyModel.embedder().embed([])
        #expect(embeddings.count == 0)
        #expect(embeddings.vectors.isEmpty)
    }

    @Test func manyCallersShareOneEmbedder() async throws {
        let embedder = try TinyModel.embedder()
        let expected = try embedder.embed(texts).vectors
        await withTaskGroup(of: [Float]?.self) { group in
            for _ in 0..<20 {
                group.addTask { [texts] in try? embedder.embed(texts).vectors }
            }
            for await vectors in group {
                // Batches of several callers sum in another order: equal to rounding.
                let differences = zip(vectors ?? [], expected).map { abs($0 - $1) }
                #expect(differences.count == expected.count)
                #expect(differences.allSatisfy { $0 < 1e-6 })
            }
        }
    }

    @Test func normalizationCanBeTurnedOff() throws {
        var request = Embedder.Request()
        request.normalize = false
        let raw = try TinyModel.embedder().embed(texts, request)
        let expected = try TinyModel.expectations()
        for i in texts.indices {
            let vector = try #require(expected[i].vectors["mean"])
            for (a, b) in zip(raw[i], vector) { #expect(abs(a - b) < 1e-5) }
        }
    }

    @Test func theWindowIsTheModelsUnlessAskedOtherwise() throws {
        let embedder = try TinyModel.embedder()
        let long = String(repeating: "cat ", count: 60)
        var request = Embedder.Request()
        #expect(try embedder.embed([long]).tokenCounts == [32])
        #expect(try embedder.embed([long]).droppedTokenCounts == [30])
        request.maximumTokenCount = 48
        #expect(try embedder.embed([long], request).tokenCounts == [48])
        for count in [1, 49] {
            request.maximumTokenCount = count
            #expect(throws: EmbeddingError.maximumTokenCountOutOfRange(count, largest: 48)) {
                try embedder.embed([long], request)
            }
        }
        request = Embedder.Request()
        request.truncates = false
        #expect(throws: EmbeddingError.textTooLong(index: 1, tokenCount: 62, limit: 32)) {
            try embedder.embed(["cat", long], request)
        }
    }

    @Test func batchesAreReportedAndCanBeStopped() throws {
        let embedder = try TinyModel.embedder(threads: 2, batchTokens: 8)
        let seen = Mutex((texts: 0, tokens: 0))
        let embeddings = try embedder.embed(texts) { textCount, tokenCount in
            seen.withLock { $0 = ($0.texts + textCount, $0.tokens + tokenCount) }
            return true
        }
        #expect(seen.withLock(\.texts) == texts.count)
        #expect(seen.withLock(\.tokens) == embeddings.tokenCounts.reduce(0, +))
        #expect(throws: EmbeddingError.cancelled) {
            try embedder.embed(texts) { _, _ in false }
        }
    }

    @Test func leftTruncationKeepsTheEnd() throws {
        let embedder = try TinyModel.embedder()
        var request = Embedder.Request()
        request.truncationDirection = .left
        let long = String(repeating: "dog ", count: 60)
        let kept = String(repeating: "dog ", count: 29) + "fox"
        let cut = try embedder.embed([long + "fox"], request)
        let whole = try embedder.embed([kept], request)
        for (a, b) in zip(cut.vectors, whole.vectors) { #expect(abs(a - b) < 1e-6) }
    }
}

@Suite struct ProcessorCountTests {
    @Test(
        arguments: [
            ("max 100000\n", nil, nil, nil), ("150000 100000\n", nil, nil, 2),
            ("50000 100000", nil, nil, 1),
            (nil, "-1\n", "100000\n", nil), (nil, "400000\n", "100000\n", 4), (nil, nil, nil, nil),
            ("garbage", "200000", "100000", 2),
        ] as [(String?, String?, String?, Int?)])
    func quotasRoundUp(v2: String?, quota: String?, period: String?, expected: Int?) {
        #expect(ProcessorCount.quota(v2: v2, v1Quota: quota, v1Period: period) == expected)
    }

    @Test(
        arguments: [
            ("Name:\tx\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n", 2),
            ("Cpus_allowed:\tffffffff,00000001\n", 33), ("Cpus_allowed:\t0\n", nil), ("", nil),
            (nil, nil),
        ] as [(String?, Int?)])
    func theAffinityMaskIsCounted(status: String?, expected: Int?) {
        #expect(ProcessorCount.affinity(status: status) == expected)
    }
}

/// The same bits whatever a text is computed with.
@Suite struct ReproducibleEmbedderTests {
    private func texts(_ count: Int, _ generator: inout SeededGenerator) -> [String] {
        let words = ["river", "stone", "of", "Größe", "tensor", "a", "quick", "brown", "北京"]
        return (0..<count).map { _ in
            (0..<Int.random(in: 1...60, using: &generator))
                .map { _ in words.randomElement(using: &generator) ?? "" }.joined(separator: " ")
        }
    }

    private func check(_ path: String, rounds: Int) throws {
        var generator = SeededGenerator(seed: 7)
        let texts = texts(40, &generator)
        var configuration = Embedder.Configuration(threadCount: 1, batchTokenCount: 512)
        configuration.isReproducible = true
        let single = try Embedder(modelPath: path, configuration)
        let expected = try texts.map { Array(try single.embed([$0])[0]) }
        configuration.threadCount = 3
        configuration.batchTokenCount = 300
        let several = try Embedder(modelPath: path, configuration)
        for round in 0..<rounds {
            let order = texts.indices.shuffled(using: &generator)
                .prefix(Int.random(in: 1...40, using: &generator))
            let embedder = round.isMultiple(of: 2) ? single : several
            let result = try embedder.embed(order.map { texts[$0] })
            for (place, index) in order.enumerated() {
                #expect(
                    result[place].map(\.bitPattern) == expected[index].map(\.bitPattern),
                    "text \(index) at \(place) of \(order.count)")
            }
        }
    }

    @Test func aTextHasTheSameBitsInAnyBatchOnAnyNumberOfThreads() throws {
        try check(TinyModel.path, rounds: Build.isOptimized ? 200 : 20)
    }

    @Test(.enabled(if: RealModel.isPresent && Build.isOptimized, "needs the model, optimized"))
    func theReferenceModelToo() throws {
        try check(TestFiles.model.path, rounds: 12)
    }
}
