/// Tokens by id and ids by UTF-8 bytes, in one open-addressing hash table.
///
/// A word's pieces are looked up by hashes of its prefixes, which are made once a start position
/// (FNV-1a is incremental), so the longest match costs one probe a candidate length.
struct Vocabulary: Sendable {
    private let tokens: TokenList
    /// `hash's upper half << 32 | id + 1`; 0 is free. A power of two, at most half full.
    private let slots: [UInt64]

    var count: Int { tokens.count }

    init(_ tokens: TokenList) throws(TokenizerError) {
        guard tokens.count > 0 else { throw .emptyVocabulary }
        guard tokens.count < 1 << 24 else { throw .vocabularyTooLarge }
        var size = 16
        while size < tokens.count * 2 { size *= 2 }
        var slots = [UInt64](repeating: 0, count: size)
        for id in 0..<tokens.count {
            let token = tokens[id]
            guard !token.isEmpty else { throw .emptyToken(id: id) }
            guard Self.isUTF8(token) else { throw .tokenNotUTF8(id: id) }
            let hash = token.reduce(FNV.seed, FNV.combine)
            var slot = FNV.slot(hash) & (size - 1)
            while slots[slot] != 0 {
                let other = Int(slots[slot] & 0xFFFF_FFFF) - 1
                if (slots[slot] ^ hash) >> 32 == 0, tokens[other] == token {
                    throw .duplicateToken(String(decoding: token, as: UTF8.self), ids: [other, id])
                }
                slot = (slot + 1) & (size - 1)
            }
            slots[slot] = hash & 0xFFFF_FFFF_0000_0000 | UInt64(id + 1)
        }
        self.tokens = tokens
        self.slots = slots
    }

    private static func isUTF8(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.allSatisfy { $0 < 0x80 } || String(validating: bytes, as: UTF8.self) != nil
    }

    func token(_ id: Int) -> ArraySlice<UInt8> { tokens[id] }

    func id(of token: some Collection<UInt8>) -> Int32? {
        let key = Array(token)
        return key.withUnsafeBufferPointer { key in
            withUnsafeTable {
                $0.id(
                    prefix: UnsafeBufferPointer(start: nil, count: 0), key: key,
                    hash: key.reduce(FNV.seed, FNV.combine))
            }
        }
    }

    /// Calls `body` with the table's storage; the table must not outlive the call.
    @inline(__always)
    func withUnsafeTable<R>(_ body: (Table) -> R) -> R {
        tokens.bytes.withUnsafeBufferPointer { bytes in
            tokens.ends.withUnsafeBufferPointer { ends in
                slots.withUnsafeBufferPointer { slots in
                    body(Table(bytes: bytes, ends: ends, slots: slots))
                }
            }
        }
    }

    struct Table {
        let bytes: UnsafeBufferPointer<UInt8>
        let ends: UnsafeBufferPointer<Int32>
        let slots: UnsafeBufferPointer<UInt64>

        /// The id of the token made of `prefix` and then `key`; `hash` is that of both.
        @inline(__always)
        func id(
            prefix: UnsafeBufferPointer<UInt8>, key: UnsafeBufferPointer<UInt8>, hash: UInt64
        ) -> Int32? {
            let mask = slots.count - 1
            var slot = FNV.slot(hash) & mask
            while true {
                let entry = slots[slot]
                if entry == 0 { return nil }
                if (entry ^ hash) >> 32 == 0 {
                    let id = Int(entry & 0xFFFF_FFFF) - 1
                    if matches(id, prefix, key) { return Int32(id) }
                }
                slot = (slot + 1) & mask
            }
        }

        @inline(__always)
        private func matches(
            _ id: Int, _ prefix: UnsafeBufferPointer<UInt8>, _ key: UnsafeBufferPointer<UInt8>
        ) -> Bool {
            let start = id == 0 ? 0 : Int(ends[id - 1])
            guard Int(ends[id]) - start == prefix.count + key.count else { return false }
            for i in 0..<prefix.count where bytes[start + i] != prefix[i] { return false }
            for i in 0..<key.count where bytes[start + prefix.count + i] != key[i] { return false }
            return true
        }
    }
}

/// The 64-bit FNV-1a hash (Fowler, Noll, Vo), a byte at a time.
enum FNV {
    static let seed: UInt64 = 0xCBF2_9CE4_8422_2325

    @inline(__always)
    static func combine(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
        (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }

    /// FNV's low bits mix well enough once the high ones are folded in.
    @inline(__always)
    static func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash ^ (hash >> 29)) }
}
