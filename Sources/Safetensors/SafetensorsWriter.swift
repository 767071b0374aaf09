import JSON

/// Writes safetensors files whose tensors all begin at multiples of 64 bytes.
///
/// The format allows no holes, so the gaps are tensors too, named `padding.N`. The same input gives
/// the same bytes.
public struct SafetensorsWriter {
    public static let alignment = 64

    private struct Entry {
        var name: String
        var dtype: DType
        var shape: [Int]
        var bytes: Bytes
    }

    private enum Bytes {
        case owned([UInt8])
        case borrowed(UnsafeRawBufferPointer)

        var count: Int {
            switch self {
            case .owned(let bytes): bytes.count
            case .borrowed(let bytes): bytes.count
            }
        }

        func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
            switch self {
            case .owned(let bytes): bytes.withUnsafeBytes(body)
            case .borrowed(let bytes): body(bytes)
            }
        }
    }

    private var entries: [Entry] = []
    private var metadata: [(key: String, value: String)]

    public init(metadata: [(key: String, value: String)]) { self.metadata = metadata }

    /// Adds a tensor after those that are there; `bytes` are its elements, little-endian and
    /// row-major.
    public mutating func add(_ name: String, _ dtype: DType, _ shape: [Int], _ bytes: [UInt8]) {
        add(name, dtype, shape, .owned(bytes))
    }

    public mutating func add(_ name: String, _ shape: [Int], _ elements: [Float]) {
        add(name, .f32, shape, .owned(elements.withUnsafeBytes(Array.init)))
    }

    public mutating func add(_ name: String, _ shape: [Int], _ elements: [Int32]) {
        add(name, .i32, shape, .owned(elements.withUnsafeBytes(Array.init)))
    }

    /// Adds a tensor without copying it: the memory must stay until the file is written.
    public mutating func add(
        _ name: String, _ shape: [Int], borrowing elements: UnsafeBufferPointer<Float>
    ) {
        add(name, .f32, shape, .borrowed(UnsafeRawBufferPointer(elements)))
    }

    private mutating func add(_ name: String, _ dtype: DType, _ shape: [Int], _ bytes: Bytes) {
        precondition(bytes.count == shape.reduce(dtype.byteCount, *), "bytes do not fill the shape")
        entries.append(Entry(name: name, dtype: dtype, shape: shape, bytes: bytes))
        let gap = -bytes.count & (Self.alignment - 1)
        if gap > 0 {
            let name = "padding.\(entries.count)"
            let zeros = Bytes.owned([UInt8](repeating: 0, count: gap))
            entries.append(Entry(name: name, dtype: .u8, shape: [gap], bytes: zeros))
        }
    }

    /// The length of the header; files whose header is longer than
    /// ``SafetensorsHeader/lengthLimit`` cannot be read.
    public var headerByteCount: Int { header().count }

    /// - Throws: `FileError`; then nothing stands at `path` that was not there before.
    public func write(to path: String) throws(FileError) {
        let file = try AtomicFileWriter(path: path)
        let header = header()
        try file.write(withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init))
        try file.write(header)
        for entry in entries {
            let result = entry.bytes.withUnsafeBytes { bytes in
                Result { () throws(FileError) in try file.write(bytes) }
            }
            try result.get()
        }
        try file.commit()
    }

    private func header() -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("__metadata__")
        json.beginObject()
        for (key, value) in metadata {
            json.key(key)
            json.string(value)
        }
        json.endObject()
        var offset = 0
        for entry in entries {
            json.key(entry.name)
            json.beginObject()
            json.key("dtype")
            json.string(entry.dtype.rawValue)
            json.key("shape")
            json.beginArray()
            for dimension in entry.shape { json.integer(dimension) }
            json.endArray()
            json.key("data_offsets")
            json.beginArray()
            json.integer(offset)
            json.integer(offset + entry.bytes.count)
            json.endArray()
            json.endObject()
            offset += entry.bytes.count
        }
        json.endObject()
        let padding = -(8 + json.bytes.count) & (Self.alignment - 1)
        return json.bytes + [UInt8](repeating: UInt8(ascii: " "), count: padding)
    }
}
