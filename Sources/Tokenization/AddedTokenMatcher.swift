/// Finds added tokens (`[CLS]`, `[SEP]`…) in raw text: leftmost, then longest, as the reference
/// does.
struct AddedTokenMatcher: Sendable {
    private struct Candidate: Sendable {
        let bytes: [UInt8]
        let id: Int32
    }

    /// By first byte, longest first.
    private let candidates: [[Candidate]]

    init(_ tokens: [(bytes: [UInt8], id: Int32)]) {
        var candidates = [[Candidate]](repeating: [], count: 256)
        for token in tokens.sorted(by: { $0.bytes.count > $1.bytes.count }) {
            candidates[Int(token.bytes[0])].append(Candidate(bytes: token.bytes, id: token.id))
        }
        self.candidates = candidates
    }

    func startsToken(_ byte: UInt8) -> Bool { !candidates[Int(byte)].isEmpty }

    /// The longest token that `text` has at `position`.
    func match(
        _ text: UnsafeBufferPointer<UInt8>, at position: Int
    ) -> (id: Int32, length: Int)? {
        for candidate in candidates[Int(text[position])]
        where candidate.bytes.count <= text.count - position {
            let slice = text[position..<position + candidate.bytes.count]
            if slice.elementsEqual(candidate.bytes) { return (candidate.id, candidate.bytes.count) }
        }
        return nil
    }
}
