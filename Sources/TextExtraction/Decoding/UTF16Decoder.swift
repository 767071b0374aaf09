/// UTF-16 of either byte order.
enum UTF16Decoder {
    /// - Parameter start: behind the byte order mark.
    /// - Throws: `binary`: NULs, or what is no UTF-16.
    static func decode(
        _ bytes: [UInt8], from start: Int, isLittleEndian: Bool
    ) throws(ExtractionError) -> TextDecoder.Decoded {
        guard bytes.count.isMultiple(of: 2) else { throw .binary }
        let low = isLittleEndian ? 0 : 1
        func unit(_ i: Int) -> UInt32 {
            UInt32(bytes[i + low]) | UInt32(bytes[i + 1 - low]) << 8
        }
        var output = DecodedText(.utf16, sourceStart: start, capacity: bytes.count)
        var i = start
        while i < bytes.count {
            var value = unit(i)
            var length = 2
            if 0xD800..<0xDC00 ~= value, i + 2 < bytes.count {
                let second = unit(i + 2)
                if 0xDC00..<0xE000 ~= second {
                    value = 0x10000 + (value - 0xD800) << 10 + (second - 0xDC00)
                    length = 4
                }
            }
            // Half a surrogate pair is no scalar.
            guard value != 0, let scalar = Unicode.Scalar(value) else { throw .binary }
            output.append(scalar, at: i)
            i += length
        }
        return output.decoded
    }

    /// Whether bytes without a mark look like UTF-16: of text in Latin script every other byte is
    /// zero.
    ///
    /// - Returns: whether it is little-endian; nil for another encoding.
    static func byteOrder(withoutMark bytes: [UInt8]) -> Bool? {
        let sample = bytes.prefix(4096)
        guard sample.count >= 8, sample.count.isMultiple(of: 2) else { return nil }
        var (even, odd) = (0, 0)
        for (i, byte) in sample.enumerated() where byte == 0 {
            if i.isMultiple(of: 2) { even += 1 } else { odd += 1 }
        }
        let half = sample.count / 2
        if even == 0, odd * 10 >= half * 7 { return true }
        if odd == 0, even * 10 >= half * 7 { return false }
        return nil
    }
}
