import EmbeddingEngine
import Foundation
import ModelConversion
import Safetensors
import TestSupport
import Testing

/// Damaged files are refused with the errors of their readers, or work: nothing else happens.
///
/// The readers' throws are typed, so another error does not compile; a trap, a hang or vectors that
/// are no numbers is what the run looks for. `tools/fuzz-model-files.sh` runs it for longer.
@Suite(.serialized) struct MutationTests {
    /// Headers to read; a thirtieth as many files are opened and converted.
    private static let count =
        ProcessInfo.processInfo.environment["MINILM_MUTATIONS"].flatMap(Int.init) ?? defaultCount

    #if DEBUG
        private static let defaultCount = 3000
    #else
        private static let defaultCount = 100_000
    #endif

    private static func sources() throws -> [(file: [UInt8], headerEnd: Int)] {
        let checkpoint = try CheckpointCopy()
        return try [checkpoint.contents("model.safetensors"), checkpoint.converted()].map { file in
            (file, 8 + Int(file.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }))
        }
    }

    @Test func damagedHeaderIsRefusedOrSound() throws {
        let sources = try Self.sources()
        var accepted = 0
        for seed in 0..<Self.count {
            let (file, headerEnd) = sources[seed % 2]
            var mutator = Mutator(seed: seed)
            let mutated = mutator.mutate(file, headerEnd: headerEnd)
            do throws(SafetensorsError) {
                let result = mutated.withUnsafeBytes { bytes in
                    Result { () throws(SafetensorsError) in try SafetensorsHeader(parsing: bytes) }
                }
                let header = try result.get()
                accepted += 1
                #expect(Self.isSound(header, fileByteCount: mutated.count), "seed \(seed)")
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
        #expect(accepted >= Self.count / 10)
        #expect(accepted < Self.count)
    }

    /// Every byte behind the header belongs to one tensor, which has as many as its shape needs.
    private static func isSound(_ header: SafetensorsHeader, fileByteCount: Int) -> Bool {
        guard var end = header.tensors.first?.fileRange.lowerBound else { return true }
        for tensor in header.tensors {
            guard tensor.fileRange.lowerBound == end,
                tensor.fileRange.count == tensor.elementCount * tensor.dtype.byteCount
            else { return false }
            end = tensor.fileRange.upperBound
        }
        return end == fileByteCount
    }

    @Test func damagedModelIsRefusedOrEmbeds() throws {
        let (file, headerEnd) = try Self.sources()[1]
        let directory = try TemporaryDirectory()
        var opened = 0
        for seed in 0..<max(Self.count / 30, 1) {
            var mutator = Mutator(seed: seed)
            let mutated = mutator.mutate(file, headerEnd: headerEnd)
            let path = try directory.write("model-\(seed)", mutated)
            do throws(ModelError) {
                let model = try EmbeddingModel(path: path)
                opened += 1
                Self.embed(model, seed)
            } catch {
                #expect(!error.description.isEmpty)
            }
            try FileManager.default.removeItem(atPath: path)
        }
        #expect(opened >= Self.count / 30 / 20)
    }

    private static func embed(_ model: EmbeddingModel, _ seed: Int) {
        let embedder = Embedder(model, .init(threadCount: 1))
        do throws(EmbeddingError) {
            let texts = ["", "The quick brown fox [MASK] jumped over na\u{EF}ve d\u{F6}gs: 東京"]
            let embeddings = try embedder.embed(texts)
            #expect(embeddings.vectors.count == 2 * model.dimension, "seed \(seed)")
            #expect(embeddings.vectors.allSatisfy { $0.isFinite }, "seed \(seed)")
        } catch {
            let sequences = [0, 1]
            #expect(
                sequences.contains { error == .model(.nonFiniteOutput(sequence: $0)) },
                "seed \(seed): \(error)")
        }
        do {
            _ = try ModelVerification(embedder)
        } catch {
            #expect(error is EmbeddingError || error is SafetensorsError, "seed \(seed): \(error)")
        }
    }

    @Test func damagedCheckpointIsRefusedOrConverts() throws {
        let (file, headerEnd) = try Self.sources()[0]
        let checkpoint = try CheckpointCopy()
        var converted = 0
        for seed in 0..<max(Self.count / 100, 1) {
            var mutator = Mutator(seed: seed)
            try checkpoint.write(
                "model.safetensors", mutator.mutate(file, headerEnd: headerEnd))
            do throws(ConversionError) {
                let path = try checkpoint.convert()
                converted += 1
                #expect(throws: Never.self, "seed \(seed)") { try EmbeddingModel(path: path) }
                try? FileManager.default.removeItem(atPath: path)
            } catch {
                #expect(!error.description.isEmpty)
            }
            #expect(try checkpoint.outputNames == [], "seed \(seed)")
        }
        #expect(converted >= Self.count / 100 / 20)
    }
}
