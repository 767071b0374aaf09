import TestSupport

/// Damages files: bits, bytes, pieces and numbers, mostly in the header, where damage matters most.
struct Mutator {
    private var generator: SeededGenerator

    /// The same seed gives the same damage.
    init(seed: Int) { generator = SeededGenerator(seed: UInt64(seed)) }

    /// What breaks readers: limits of integers, sizes of the tiny model and their neighbours,
    /// pieces of JSON and of UTF-8.
    private static let splices: [[UInt8]] =
        [
            "0", "1", "-1", "2", "24", "25", "97", "255", "256", "65535", "65536", "2147483647",
            "2147483648", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808",
            "18446744073709551615", "18446744073709551616", "1e999", "-0", "0.5", "1e3", "nan",
            "inf",
            "null", "true", "{}", "[]", "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000",
            "\\ud800", " ", "\0", "F16", "F64", "I64", "U8", "\"F32\"", "[0,0]", "[24,24]",
            "__metadata__", "format", "padding.", "bert.", "e\u{301}", "\u{E9}", "\u{FEFF}",
        ].map { Array($0.utf8) } + [
            [0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0, 0, 0xC0, 0x7F], [0, 0, 0x80, 0x7F],
            [0xFF, 0xFF, 0x7F, 0x7F], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
            [UInt8](repeating: 0xFF, count: 8), [UInt8](repeating: 0, count: 8),
        ]

    /// A damaged copy. Where the header is damaged, its length and padding are put right most of
    /// the time: otherwise no damage behind it would ever be read.
    mutating func mutate(_ file: [UInt8], headerEnd: Int) -> [UInt8] {
        var length = Array(file[..<8])
        var header = Array(file[8..<headerEnd])
        var data = Array(file[headerEnd...])
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            switch Int.random(in: 0..<20, using: &generator) {
            case 0: damage(&length)
            case 1: damage(&data)
            case 2..<8: overwriteData(&data)
            default: damage(&header)
            }
        }
        if length == Array(file[..<8]), Int.random(in: 0..<4, using: &generator) > 0 {
            header.removeLast(header.reversed().prefix { $0 == 0x20 }.count)
            header += [UInt8](repeating: 0x20, count: -(8 + header.count) & 63)
            length = withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init)
        }
        return length + header + data
    }

    /// Other values in place; a converted model begins with its vocabulary.
    private mutating func overwriteData(_ data: inout [UInt8]) {
        guard !data.isEmpty else { return }
        let limit = Bool.random(using: &generator) ? min(1024, data.count) : data.count
        let position = Int.random(in: 0..<limit, using: &generator)
        for (i, byte) in splice().enumerated() where position + i < data.count {
            data[position + i] = byte
        }
    }

    private mutating func damage(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return bytes.append(0) }
        let position = Int.random(in: 0..<bytes.count, using: &generator)
        let end = min(position + Int.random(in: 1...32, using: &generator), bytes.count)
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[position] = .random(in: 0...255, using: &generator)
        case 2: bytes.insert(.random(in: 0...255, using: &generator), at: position)
        case 3: bytes.removeSubrange(position..<end)
        case 4: bytes.removeSubrange(position...)
        case 5: bytes.insert(contentsOf: bytes[position..<end], at: position)
        case 6: replaceNumber(&bytes, from: position)
        default: overwrite(&bytes, at: position)
        }
    }

    private mutating func splice() -> [UInt8] {
        Self.splices[Int.random(in: 0..<Self.splices.count, using: &generator)]
    }

    private mutating func overwrite(_ bytes: inout [UInt8], at position: Int) {
        let splice = splice()
        let end = min(position + splice.count, bytes.count)
        bytes.replaceSubrange(position..<end, with: splice)
    }

    /// Puts something else in the place of the next number.
    private mutating func replaceNumber(_ bytes: inout [UInt8], from position: Int) {
        let isDigit: (UInt8) -> Bool = { (0x30...0x39).contains($0) }
        guard let start = bytes[position...].firstIndex(where: isDigit) else {
            return overwrite(&bytes, at: position)
        }
        let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
        bytes.replaceSubrange(start..<end, with: splice())
    }
}
