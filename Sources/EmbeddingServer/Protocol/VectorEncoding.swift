import FoundationEssentials
import JSON

/// How a vector is written: in which precision, as numbers or as base64.
struct VectorEncoding: Sendable, Equatable {
    enum Format: String, CaseIterable {
        case float, base64
    }

    enum Precision: String, CaseIterable {
        case float32
        /// A byte an element, with one scale a vector: element ≈ scale · byte.
        case int8
        /// A byte an element: element ≈ scale · (byte − 128).
        case uint8
        /// A bit an element, 1 where it is positive, most significant bit first, as
        /// `numpy.packbits` packs them; less 128, as a signed byte.
        case binary
        /// The same bits as an unsigned byte.
        case ubinary
    }

    var format = Format.float
    var precision = Precision.float32

    /// About the bytes of a text's part of the answer.
    func byteCount(dimension: Int) -> Int {
        let elements = precision == .binary || precision == .ubinary ? dimension / 8 : dimension
        let size =
            switch (format, precision) {
            case (.float, .float32): 12 * elements
            case (.float, _): 4 * elements
            case (.base64, .float32): 16 * elements / 3
            case (.base64, _): 4 * elements / 3
            }
        return size + 160
    }

    /// Writes the vector's members of a data object.
    func write(_ vector: UnsafeBufferPointer<Float>, to json: inout JSONWriter) {
        json.key("embedding")
        switch precision {
        case .float32:
            switch format {
            case .float:
                json.beginArray()
                for element in vector { json.number(element) }
                json.endArray()
            case .base64:
                // Little-endian on every machine that this runs on.
                json.plainString(Data(buffer: vector).base64EncodedData())
            }
        case .int8, .uint8:
            let (bytes, scale) = Self.quantize(vector)
            write(precision == .int8 ? bytes : bytes.map { $0 ^ 0x80 }, to: &json)
            json.key("scale")
            json.number(scale)
            if precision == .uint8 {
                json.key("zero_point")
                json.integer(128)
            }
        case .binary, .ubinary:
            let bytes = Self.packBits(vector)
            write(precision == .ubinary ? bytes : bytes.map { $0 ^ 0x80 }, to: &json)
        }
    }

    private var isSigned: Bool { precision == .int8 || precision == .binary }

    private func write(_ bytes: [UInt8], to json: inout JSONWriter) {
        switch format {
        case .base64: json.plainString(Data(bytes).base64EncodedData())
        case .float:
            json.beginArray()
            for byte in bytes {
                if isSigned { json.integer(Int8(bitPattern: byte)) } else { json.integer(byte) }
            }
            json.endArray()
        }
    }

    /// Symmetric quantization with one scale a vector: the largest element becomes ±127.
    ///
    /// - Returns: signed bytes, and the scale; 0 for a vector of zeros.
    static func quantize(
        _ vector: UnsafeBufferPointer<Float>
    ) -> (bytes: [UInt8], scale: Float) {
        let largest = vector.reduce(0) { max($0, $1.magnitude) }
        guard largest > 0 else { return (.init(repeating: 0, count: vector.count), 0) }
        let scale = largest / 127
        return (
            vector.map {
                UInt8(bitPattern: Int8(max(-127, min(127, ($0 / largest * 127).rounded()))))
            }, scale
        )
    }

    static func packBits(_ vector: UnsafeBufferPointer<Float>) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: (vector.count + 7) / 8)
        for (i, element) in vector.enumerated() where element > 0 {
            bytes[i / 8] |= 0x80 >> UInt8(i % 8)
        }
        return bytes
    }
}
