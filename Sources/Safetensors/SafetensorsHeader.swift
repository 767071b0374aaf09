import JSON

/// The names, types and places of a safetensors file's tensors, checked against its size.
///
/// Format: https://github.com/huggingface/safetensors. A header that parses is sound: every tensor
/// lies within the data, has as many bytes as its shape needs, and every byte belongs to exactly
/// one tensor.
public struct SafetensorsHeader: Sendable, Equatable {
    public struct Tensor: Sendable, Equatable {
        public var name: String
        public var dtype: DType
        public var shape: [Int]
        /// Bytes from the start of the file.
        public var fileRange: Range<Int>

        public var elementCount: Int { shape.reduce(1, *) }
        public var typeDescription: String { "\(dtype.rawValue) \(shape)" }
    }

    /// The longest header that is read: 1 MiB, ten times what a 24-layer model needs.
    public static let lengthLimit = 1 << 20

    /// In the order of their bytes.
    public var tensors: [Tensor]
    /// `__metadata__`, in the file's order.
    public var metadata: [(key: String, value: String)]

    /// Reads and checks the header of a whole file.
    ///
    /// - Throws: `SafetensorsError`.
    public init(parsing file: UnsafeRawBufferPointer) throws(SafetensorsError) {
        guard file.count >= 8 else { throw .fileTooShort(byteCount: file.count) }
        let length = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
        guard length > 0 else { throw .headerEmpty }
        guard length <= UInt64(Self.lengthLimit) else {
            throw .headerTooLarge(byteCount: length, limit: Self.lengthLimit)
        }
        let dataStart = 8 + Int(length)
        guard dataStart <= file.count else {
            throw .headerPastEnd(headerByteCount: dataStart, fileByteCount: file.count)
        }
        let members = try Self.members(UnsafeRawBufferPointer(rebasing: file[8..<dataStart]))

        metadata = []
        tensors = []
        for member in members {
            if member.key == "__metadata__" {
                metadata = try Self.metadata(member.value)
            } else {
                tensors.append(
                    try Self.tensor(
                        member.key, member.value, dataStart: dataStart, fileEnd: file.count))
            }
        }
        tensors.sort {
            ($0.fileRange.lowerBound, $0.fileRange.upperBound)
                < ($1.fileRange.lowerBound, $1.fileRange.upperBound)
        }
        try checkCoverage(dataStart..<file.count)
    }

    public static func == (a: Self, b: Self) -> Bool {
        a.tensors == b.tensors && a.metadata.elementsEqual(b.metadata) { $0 == $1 }
    }

    private static func members(
        _ header: UnsafeRawBufferPointer
    ) throws(SafetensorsError) -> [JSONValue.Member] {
        guard header.first == UInt8(ascii: "{") else { throw .headerNotObject }
        do {
            guard let members = try JSONValue(parsing: header, depthLimit: 8).members else {
                throw SafetensorsError.headerNotObject
            }
            return members
        } catch let error as JSONError {
            switch error {
            case .duplicateKey(let key): throw .duplicateKey(key)
            case .invalidUTF8(let offset): throw .headerNotUTF8(offset: offset)
            default: throw .headerNotJSON(error.description)
            }
        } catch {
            throw .headerNotObject
        }
    }

    private static func metadata(
        _ value: JSONValue
    ) throws(SafetensorsError) -> [(key: String, value: String)] {
        guard let members = value.members else { throw .metadataNotStrings }
        var metadata: [(key: String, value: String)] = []
        for member in members {
            guard let string = member.value.string else { throw .metadataNotStrings }
            metadata.append((member.key, string))
        }
        return metadata
    }

    private static func tensor(
        _ name: String, _ entry: JSONValue, dataStart: Int, fileEnd: Int
    ) throws(SafetensorsError) -> Tensor {
        guard let fields = entry.members else {
            throw .malformedEntry(tensor: name, field: "the entry")
        }
        let known = ["dtype", "shape", "data_offsets"]
        if let extra = fields.first(where: { !known.contains($0.key) }) {
            throw .malformedEntry(tensor: name, field: extra.key)
        }
        guard let dtypeName = entry["dtype"]?.string else {
            throw .malformedEntry(tensor: name, field: "dtype")
        }
        guard let dtype = DType(rawValue: dtypeName) else {
            throw .unknownDType(tensor: name, dtype: dtypeName)
        }
        guard let dimensions = entry["shape"]?.array else {
            throw .malformedEntry(tensor: name, field: "shape")
        }
        let shape = dimensions.compactMap { if case .integer(let n) = $0 { Int(n) } else { nil } }
        guard shape.count == dimensions.count, shape.count <= 8, shape.allSatisfy({ $0 >= 0 })
        else { throw .invalidShape(tensor: name) }

        let offsets = (entry["data_offsets"]?.array ?? [])
            .compactMap { if case .integer(let n) = $0, n >= 0 { Int(n) } else { nil } }
        guard offsets.count == 2, entry["data_offsets"]?.array?.count == 2 else {
            throw .malformedEntry(tensor: name, field: "data_offsets")
        }
        guard offsets[0] <= offsets[1] else { throw .offsetsReversed(tensor: name) }

        var byteCount = dtype.byteCount
        for dimension in shape {
            let (product, overflow) = byteCount.multipliedReportingOverflow(by: dimension)
            guard !overflow else { throw .shapeOverflow(tensor: name, shape: shape) }
            byteCount = product
        }
        guard offsets[1] <= fileEnd - dataStart else {
            throw .offsetsPastEnd(
                tensor: name, end: offsets[1], dataByteCount: fileEnd - dataStart)
        }
        guard offsets[1] - offsets[0] == byteCount else {
            throw .sizeMismatch(
                tensor: name, expected: byteCount, actual: offsets[1] - offsets[0])
        }
        return Tensor(
            name: name, dtype: dtype, shape: shape,
            fileRange: dataStart + offsets[0]..<dataStart + offsets[1])
    }

    private func checkCoverage(_ data: Range<Int>) throws(SafetensorsError) {
        var end = data.lowerBound
        var previous = ""
        for tensor in tensors {
            if tensor.fileRange.lowerBound < end {
                throw .offsetsOverlap(tensor: previous, other: tensor.name)
            }
            guard tensor.fileRange.lowerBound <= end else {
                throw .hole(beforeTensor: tensor.name)
            }
            end = tensor.fileRange.upperBound
            previous = tensor.name
        }
        guard end == data.upperBound else { throw .hole(beforeTensor: nil) }
    }
}
