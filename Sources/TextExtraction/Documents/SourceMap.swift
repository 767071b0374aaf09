/// From offsets in decoded text to offsets in the file it was decoded from.
///
/// UTF-8 needs no table. For other encodings a mark stands every few KiB, and the way from the
/// mark is walked: a scalar's length in the file follows from its length in UTF-8.
struct SourceMap: Sendable {
    enum Encoding: Sendable {
        case utf8
        case utf16
        /// One byte a scalar.
        case singleByte
        /// So many bytes a scalar, in the order of the text.
        case variable([UInt8])
    }

    private struct Mark: Sendable {
        var textOffset: Int
        var sourceOffset: Int
        /// Scalars before it.
        var scalarCount = 0
    }

    static let markDistance = 4096

    var encoding: Encoding
    /// Ascending; the first is the text's start.
    private var marks: [Mark]

    /// - Parameter sourceStart: where the text starts in the file: after the byte order mark.
    init(_ encoding: Encoding, sourceStart: Int) {
        self.encoding = encoding
        marks = [Mark(textOffset: 0, sourceOffset: sourceStart)]
    }

    /// Notes that both offsets are the same place; to be called in ascending order.
    mutating func append(textOffset: Int, sourceOffset: Int, scalarCount: Int = 0) {
        marks.append(
            Mark(textOffset: textOffset, sourceOffset: sourceOffset, scalarCount: scalarCount))
    }

    /// - Parameter utf8: the whole text.
    func sourceOffset(of textOffset: Int, in utf8: UnsafeBufferPointer<UInt8>) -> Int {
        if case .utf8 = encoding { return marks[0].sourceOffset + textOffset }
        var (low, high) = (0, marks.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if marks[middle].textOffset <= textOffset { low = middle } else { high = middle }
        }
        var offset = marks[low].sourceOffset
        var scalar = marks[low].scalarCount
        for byte in utf8[marks[low].textOffset..<textOffset] where byte & 0xC0 != 0x80 {
            switch encoding {
            case .utf8, .singleByte: offset += 1
            case .utf16: offset += byte >= 0xF0 ? 4 : 2
            case .variable(let lengths):
                offset += Int(lengths[scalar])
                scalar += 1
            }
        }
        return offset
    }
}
