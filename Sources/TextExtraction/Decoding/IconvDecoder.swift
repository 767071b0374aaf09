import CLibXML2

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// All other encodings, by the C library's iconv.
enum IconvDecoder {
    /// - Returns: nil where the encoding is not known, or the bytes are not all of it.
    static func decode(_ bytes: [UInt8], encoding: String) -> TextDecoder.Decoded? {
        guard !encoding.utf8.contains(0), !encoding.contains("/") else { return nil }
        let converter = iconv_open("UTF-32LE", encoding)
        guard Int(bitPattern: converter) != -1 else { return nil }
        defer { iconv_close(converter) }
        var output = DecodedText(.singleByte, sourceStart: 0, capacity: bytes.count)
        var lengths: [UInt8] = []
        lengths.reserveCapacity(bytes.count)
        let isWhole = bytes.withUnsafeBytes { source in
            decode(source, converter, &output, &lengths)
        }
        guard isWhole else { return nil }
        output.setLengths(lengths)
        return output.decoded
    }

    /// A scalar a step, so that the place of each is known.
    private static func decode(
        _ source: UnsafeRawBufferPointer, _ converter: iconv_t?, _ output: inout DecodedText,
        _ lengths: inout [UInt8]
    ) -> Bool {
        var input = UnsafeMutablePointer<CChar>(
            mutating: source.baseAddress?.assumingMemoryBound(to: CChar.self))
        var left = source.count
        var scalars: [UInt32] = [0, 0, 0, 0]
        while left > 0 {
            let offset = source.count - left
            var (written, failure) = (0, Int32(0))
            // Some characters are two scalars, and come only where there is room for both.
            for room in [4, 16] {
                var outLeft = room
                scalars.withUnsafeMutableBytes { buffer in
                    var out = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
                    failure = iconv(converter, &input, &left, &out, &outLeft) == -1 ? errno : 0
                }
                written = (room - outLeft) / 4
                if written > 0 || failure != E2BIG { break }
            }
            if failure != 0, failure != E2BIG { return false }
            let taken = source.count - left - offset
            // A change of state gives no scalar: it counts as part of the one before.
            guard written > 0 else {
                if taken == 0 { return left == 0 }
                if let last = lengths.popLast() { lengths.append(last &+ UInt8(clamping: taken)) }
                continue
            }
            for i in 0..<written {
                guard let scalar = Unicode.Scalar(UInt32(littleEndian: scalars[i])),
                    scalar.value != 0
                else { return false }
                output.append(scalar, at: offset)
                lengths.append(i == written - 1 ? UInt8(clamping: taken) : 0)
            }
        }
        return true
    }
}
