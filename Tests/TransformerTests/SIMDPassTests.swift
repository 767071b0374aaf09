import EmbeddingEngine
import Foundation
import TestSupport
import Testing
import Transformer

/// The vectors of one batch, as bits, and computed with helpers where `threads` are more than one.
private func bits(
    _ encoder: BertEncoder, _ sequences: [[Int32]], threads: Int = 1,
    workspace: EncoderWorkspace = EncoderWorkspace()
) throws -> [[UInt32]] {
    var batch = PackedBatch()
    for sequence in sequences { batch.append(sequence) }
    let width = encoder.configuration.hiddenSize
    var output = [Float](repeating: .nan, count: sequences.count * width)
    let team = EncoderTeam(memberCount: threads)
    let left = Monitor(threads - 1)
    for _ in 1..<max(1, threads) {
        #expect(
            Threads.start {
                team.help(EncoderWorkspace())
                left.withLock { $0 -= 1 }
                left.notifyAll()
            })
    }
    try output.withUnsafeMutableBufferPointer {
        try encoder.forward(batch, workspace: workspace, normalize: true, into: $0, team: team)
    }
    team.finish()
    _ = left.wait { $0 == 0 ? true : nil }
    return stride(from: 0, to: output.count, by: width).map {
        output[$0..<$0 + width].map(\.bitPattern)
    }
}

@Suite struct SIMDPassTests {
    private let encoder: BertEncoder

    init() throws { encoder = try EmbeddingModel(path: TinyModel.path).encoder }

    private func sequences(_ count: Int, _ generator: inout SeededGenerator) -> [[Int32]] {
        (0..<count).map { _ in
            (0..<Int.random(in: 1...48, using: &generator)).map { _ in
                Int32.random(in: 0..<97, using: &generator)
            }
        }
    }

    /// A text has the same bits alone, in any batch, in any order and with any number of threads.
    @Test func bitsDependOnTheTextAlone() throws {
        var generator = SeededGenerator(seed: 11)
        let texts = sequences(60, &generator)
        let workspace = EncoderWorkspace()
        let alone = try texts.map { try bits(encoder, [$0], workspace: workspace)[0] }
        for _ in 0..<(Build.isOptimized ? 10_000 : 200) {
            let chosen = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
                Int.random(in: 0..<texts.count, using: &generator)
            }
            let actual = try bits(encoder, chosen.map { texts[$0] }, workspace: workspace)
            guard actual == chosen.map({ alone[$0] }) else {
                Issue.record("the batch of \(chosen)")
                return
            }
        }
    }

    @Test(arguments: [2, 3, 5, 16])
    func bitsDoNotDependOnTheThreads(threads: Int) throws {
        var generator = SeededGenerator(seed: UInt64(threads))
        for count in [1, 2, 3, 20] {
            for _ in 0..<10 {
                let texts = sequences(count, &generator)
                let (together, alone) = (
                    try bits(encoder, texts, threads: threads), try bits(encoder, texts)
                )
                #expect(together == alone)
            }
        }
    }

    /// All ways of computing give the same vectors but for rounding.
    @Test func backendsAndKernelsAgree() throws {
        var generator = SeededGenerator(seed: 12)
        let texts = sequences(30, &generator)
        func vectors(_ encoder: BertEncoder) throws -> [[Float]] {
            try bits(encoder, texts).map { $0.map { Float(bitPattern: $0) } }
        }
        let expected = try vectors(encoder)
        for other in [encoder.on(.openblas)] + encoder.onAllKernels().map(\.encoder) {
            for (a, b) in zip(expected, try vectors(other)) {
                #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-6 })
            }
        }
    }

    /// All kernels keep the promise, and those for newer processors give one another's bits: a library
    /// may be embedded by several machines.
    @Test func allKernelsGiveTheSameBitsInAnyBatch() throws {
        var generator = SeededGenerator(seed: 13)
        let texts = sequences(20, &generator)
        var all: [String: [[UInt32]]] = [:]
        for (name, encoder) in encoder.onAllKernels() {
            let together = try bits(encoder, texts)
            for (text, expected) in zip(texts, together) {
                let alone = try bits(encoder, [text])[0]
                #expect(alone == expected, "\(name)")
            }
            all[name] = together
        }
        #expect(all["portable vectors"] != nil)
        #expect(all["AVX-512"] == nil || all["AVX-512"] == all["AVX2, FMA"])
    }

    @Test func aProfileCountsEveryStage() throws {
        for backend in Backend.allCases {
            let profile = EncoderProfile()
            var batch = PackedBatch()
            batch.append([Int32](repeating: 5, count: 40))
            var output = [Float](repeating: 0, count: encoder.configuration.hiddenSize)
            try output.withUnsafeMutableBufferPointer {
                try encoder.on(backend).forward(
                    batch, workspace: EncoderWorkspace(), normalize: true, into: $0,
                    profile: profile)
            }
            #expect(profile.seconds.allSatisfy { $0 > 0 })
        }
    }

    @Test func aWorkspaceTakesWhatWasPredicted() throws {
        for backend in Backend.allCases {
            let encoder = encoder.on(backend)
            for lengths in [[1], [40], [48, 3, 20], [Int](repeating: 30, count: 12)] {
                let workspace = EncoderWorkspace()
                var batch = PackedBatch()
                for length in lengths { batch.append([Int32](repeating: 4, count: length)) }
                var output = [Float](
                    repeating: 0, count: lengths.count * encoder.configuration.hiddenSize)
                try output.withUnsafeMutableBufferPointer {
                    try encoder.forward(
                        batch, workspace: workspace, normalize: false, into: $0)
                }
                let predicted = EncoderWorkspace.byteCount(
                    tokens: batch.tokenCount, longest: batch.longestSequence,
                    encoder.configuration, backend)
                #expect(workspace.byteCount == predicted)
            }
        }
    }
}
