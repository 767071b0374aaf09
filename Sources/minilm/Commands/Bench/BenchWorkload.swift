import EmbeddingEngine
import Tokenization

/// Texts of known lengths, the same in every run.
struct BenchWorkload {
    /// Two words: with one, texts would come again, and what comes again is computed once.
    static let least = 4

    let name: String
    /// The tokens of each text, special tokens included, in turn.
    let lengths: [Int]

    /// The lengths that people ask for: `16`, `128`, or `mixed`.
    init?(_ name: String, window: Int) {
        self.name = name
        if name == "mixed" {
            // From a title to a full window, as chunks of documents are.
            lengths = (0..<32).map { 16 + ($0 * 7 % 32) * max(0, min(window, 256) - 16) / 31 }
        } else {
            guard let length = Int(name), length >= Self.least, length <= window else { return nil }
            lengths = [length]
        }
    }

    /// Texts of so many tokens in all at least.
    ///
    /// - Parameter words: each one token of its own.
    func texts(tokenCount: Int, words: [String]) -> (texts: [String], lengths: [Int]) {
        var generator = Generator(state: 42)
        var texts: [String] = []
        var counts: [Int] = []
        var total = 0
        while total < tokenCount {
            let length = lengths[texts.count % lengths.count]
            let chosen = (0..<length - 2).map { _ in words[generator.below(words.count)] }
            texts.append(chosen.joined(separator: " "))
            counts.append(length)
            total += length
        }
        return (texts, counts)
    }

    /// Words of the samples that are one token each in a model's vocabulary.
    static func words(_ tokenizer: Tokenizer) -> [String] {
        let all = SampleTexts.all.joined(separator: " ").split(separator: " ").map(String.init)
        return Array(Set(all.filter { tokenizer.tokenCount($0) == 3 })).sorted()
    }

    /// SplitMix64 (Steele, Lea, Flood 2014, https://doi.org/10.1145/2714064.2660195).
    private struct Generator {
        var state: UInt64

        mutating func below(_ bound: Int) -> Int {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return Int((z ^ (z >> 31)) % UInt64(bound))
        }
    }
}
