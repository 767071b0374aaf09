import ArgumentParser
import JSON
import Safetensors
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

enum VectorFormat: String, ExpressibleByArgument, CaseIterable {
    /// An object a line: index, tokens, embedding.
    case jsonl
    /// NumPy's array file, float32, `[texts, dimension]`.
    case npy
    /// The elements of a vector a line.
    case csv
    /// Little-endian float32, nothing else.
    case f32
}

/// One vector with what belongs to it.
struct VectorRecord {
    var index: Int
    var id: JSONValue?
    var tokenCount: Int
    var droppedTokenCount: Int
    var vector: ArraySlice<Float>
}

/// Writes vectors in a format to standard output or a file. A file appears whole, at ``finish()``,
/// or not at all.
struct VectorOutput {
    private let format: VectorFormat
    private let dimension: Int
    private var sink: ByteSink
    private var count = 0
    private var json = JSONWriter()

    init(_ format: VectorFormat, dimension: Int, path: String?) throws(CommandFailure) {
        self.format = format
        self.dimension = dimension
        sink = try ByteSink(path: path, needsSeek: format == .npy)
        if format == .npy { try sink.write(npyHeader(count: 0)) }
    }

    mutating func write(_ record: VectorRecord) throws(CommandFailure) {
        count += 1
        switch format {
        case .jsonl: try sink.write(line(record))
        case .csv:
            var bytes: [UInt8] = []
            for element in record.vector {
                if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
                bytes.append(contentsOf: element.description.utf8)
            }
            bytes.append(0x0A)
            try sink.write(bytes)
        case .npy, .f32: try sink.write(record.vector.withUnsafeBytes(Array.init))
        }
    }

    /// Hands on what is buffered, so that a reader of a pipe sees it.
    mutating func flush() throws(CommandFailure) { try sink.flush() }

    mutating func finish() throws(CommandFailure) {
        if format == .npy { try sink.overwriteStart(npyHeader(count: count)) }
        try sink.finish()
    }

    private mutating func line(_ record: VectorRecord) -> [UInt8] {
        json.removeAll()
        json.beginObject()
        json.key("index")
        json.integer(record.index)
        if let id = record.id {
            json.key("id")
            json.value(id)
        }
        json.key("tokens")
        json.integer(record.tokenCount)
        if record.droppedTokenCount > 0 {
            json.key("dropped")
            json.integer(record.droppedTokenCount)
        }
        json.key("embedding")
        json.beginArray()
        for element in record.vector { json.number(element) }
        json.endArray()
        json.endObject()
        json.endLine()
        return json.bytes
    }

    /// Version 1.0 of the format, always 128 bytes long, so that it can be filled in at the end.
    private func npyHeader(count: Int) -> [UInt8] {
        var text = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(count), \(dimension)), }"
        text += String(repeating: " ", count: 117 - text.utf8.count) + "\n"
        return [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(text.utf8)
    }
}
