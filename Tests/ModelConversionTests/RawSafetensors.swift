import JSON
import Safetensors

/// A safetensors file taken apart, to put it together again otherwise.
struct RawSafetensors {
    struct Tensor {
        var name: String
        var dtype: DType
        var shape: [Int]
        var bytes: [UInt8]

        var floats: [Float] {
            get { bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) } }
            set { bytes = newValue.withUnsafeBytes(Array.init) }
        }
    }

    var metadata: [(key: String, value: String)]
    var tensors: [Tensor]

    init(_ file: [UInt8]) throws {
        let header = try file.withUnsafeBytes { try SafetensorsHeader(parsing: $0) }
        metadata = header.metadata
        tensors = header.tensors.map {
            Tensor(
                name: $0.name, dtype: $0.dtype, shape: $0.shape, bytes: Array(file[$0.fileRange]))
        }
    }

    subscript(name: String) -> Tensor {
        get { tensors.first { $0.name == name }! }
        set { tensors[tensors.firstIndex { $0.name == name }!] = newValue }
    }

    mutating func remove(_ name: String) { tensors.removeAll { $0.name == name } }

    mutating func setMetadata(_ key: String, to value: String?) {
        let index = metadata.firstIndex { $0.key == key }
        switch (index, value) {
        case (let index?, let value?): metadata[index].value = value
        case (let index?, nil): metadata.remove(at: index)
        case (nil, let value?): metadata.append((key, value))
        case (nil, nil): break
        }
    }

    /// The file's bytes, tensor after tensor, as other programs write them.
    func encoded() -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        if !metadata.isEmpty {
            json.key("__metadata__")
            json.value(.object(metadata.map { .init($0.key, .string($0.value)) }))
        }
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.bytes.count
            json.key(tensor.name)
            json.value(
                .object([
                    .init("dtype", .string(tensor.dtype.rawValue)),
                    .init("shape", .array(tensor.shape.map { .integer(Int64($0)) })),
                    .init("data_offsets", .array([.integer(Int64(offset)), .integer(Int64(end))])),
                ]))
            offset = end
        }
        json.endObject()
        return withUnsafeBytes(of: UInt64(json.bytes.count).littleEndian, Array.init) + json.bytes
            + tensors.flatMap(\.bytes)
    }

    /// Writes the file as `minilm convert` does, with every tensor aligned.
    func writeAligned(to path: String) throws {
        var writer = SafetensorsWriter(metadata: metadata)
        for tensor in tensors where !tensor.name.hasPrefix("padding.") {
            writer.add(tensor.name, tensor.dtype, tensor.shape, tensor.bytes)
        }
        try writer.write(to: path)
    }
}
