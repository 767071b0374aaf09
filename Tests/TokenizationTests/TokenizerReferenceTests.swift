import EmbeddingEngine
import Foundation
import TestSupport
import Testing
import Tokenization

@Suite(.enabled(if: RealModel.isPresent, "the model is not set up: run tools/setup.sh"))
struct TokenizerReferenceTests {
    @Test func idsAndOffsetsEqualTheReferences() throws {
        let tokenizer = try RealModel.embedder.get().model.tokenizer
        let cases = try ReferenceCase.read(TestFiles.fixture("tokens.jsonl"))
        #expect(cases.count > 400)
        for expected in cases {
            let encoding = tokenizer.encode(expected.text)
            #expect(encoding.ids == expected.ids, "\(expected.text.debugDescription)")
            #expect(
                Array(encoding.offsets.dropFirst().dropLast()) == expected.offsets,
                "\(expected.text.debugDescription)")
            #expect(tokenizer.encodeIDs(expected.text).ids == expected.ids)
            #expect(tokenizer.tokenCount(expected.text) == expected.ids.count)
        }
    }

    static let shared = ["embeddings", "tokens"].compactMap {
        TestFiles.shared("reference/\($0).jsonl")
    }

    @Test(
        .enabled(if: Build.isOptimized, "takes minutes in a debug build"),
        .enabled(if: shared.count == 2, "the full reference is not on this machine"))
    func idsEqualAllOfTheFullReference() throws {
        let tokenizer = try RealModel.embedder.get().model.tokenizer
        var count = 0
        for url in Self.shared {
            for expected in try ReferenceCase.read(url) {
                #expect(
                    tokenizer.encodeIDs(expected.text).ids == expected.ids,
                    "\(expected.text.debugDescription)")
                count += 1
            }
        }
        #expect(count == 791 + 11_560)
    }

    /// A quadratic tokenizer would need hours for these.
    @Test(
        .enabled(if: Build.isOptimized, "takes minutes in a debug build"),
        .timeLimit(.minutes(2)),
        arguments: [
            ("a", 3), ("\u{301}", 2), ("漢", 3_333_335), ("\u{334}\u{1D16D}", 3), ("[", 10_000_002),
        ])
    func tenMegabytesTakeLinearTime(unit: String, tokenCount: Int) throws {
        let tokenizer = try RealModel.embedder.get().model.tokenizer
        let text = String(repeating: unit, count: 10_000_000 / unit.utf8.count)
        #expect(tokenizer.tokenCount(text) == tokenCount)
    }
}
