/// A mapped safetensors file.
public final class SafetensorsFile: Sendable {
    public let file: MappedFile
    public let header: SafetensorsHeader
    /// By the UTF-8 bytes of the name: strings that differ only in their composition are equal.
    private let tensorsByName: [[UInt8]: SafetensorsHeader.Tensor]

    /// - Throws: `FileError` or `SafetensorsError`.
    public init(path: String) throws {
        file = try MappedFile(path: path)
        header = try SafetensorsHeader(parsing: file.bytes)
        tensorsByName = Dictionary(
            uniqueKeysWithValues: header.tensors.map { (Array($0.name.utf8), $0) })
    }

    public var path: String { file.path }

    public func metadata(_ key: String) -> String? {
        header.metadata.first { $0.key == key }?.value
    }

    public func tensor(_ name: String) -> SafetensorsHeader.Tensor? {
        tensorsByName[Array(name.utf8)]
    }

    /// The bytes of a tensor, valid as long as this file is.
    public func bytes(of tensor: SafetensorsHeader.Tensor) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: file.bytes[tensor.fileRange])
    }

    /// The elements of a tensor that must have this type and shape, in row-major order, in place.
    ///
    /// - Throws: `SafetensorsError`: the tensor is missing, of another type or shape, or not
    ///   aligned for `Element`.
    public func elements<Element: BitwiseCopyable>(
        _ name: String, _ dtype: DType, _ shape: [Int], as: Element.Type
    ) throws(SafetensorsError) -> UnsafeBufferPointer<Element> {
        guard let tensor = tensor(name) else { throw .missingTensor(name) }
        guard tensor.dtype == dtype, tensor.shape == shape else {
            throw .unexpectedTensor(
                name, expected: "\(dtype.rawValue) \(shape)", actual: tensor.typeDescription)
        }
        let bytes = bytes(of: tensor)
        guard Int(bitPattern: bytes.baseAddress) % MemoryLayout<Element>.alignment == 0 else {
            throw .unexpectedTensor(
                name, expected: "\(dtype.rawValue) \(shape), aligned",
                actual: "at byte \(tensor.fileRange.lowerBound)")
        }
        return bytes.assumingMemoryBound(to: Element.self)
    }
}
