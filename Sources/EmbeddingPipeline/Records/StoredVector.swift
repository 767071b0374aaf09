import Foundation

/// Vectors as they stand in the database: little-endian float32, nothing else.
public enum StoredVector {
    /// How far from 1 a unit vector's squared length may be, by the rounding of float32.
    private static let unitTolerance: Float = 1e-3

    /// - Parameters:
    ///   - vector: `[D]`.
    public static func data(_ vector: some Collection<Float>) -> Data {
        var data = Data(capacity: vector.count * 4)
        for element in vector {
            withUnsafeBytes(of: element.bitPattern.littleEndian) { data.append(contentsOf: $0) }
        }
        return data
    }

    /// `[D]`; nil when the bytes are no whole number of elements.
    public static func elements(_ data: Data) -> [Float]? {
        guard data.count.isMultiple(of: 4) else { return nil }
        return data.withUnsafeBytes { bytes in
            (0..<data.count / 4).map { index in
                let bits = bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
                return Float(bitPattern: UInt32(littleEndian: bits))
            }
        }
    }

    /// Whether bytes are a vector that can be searched: whole, finite, and of unit length where the
    /// model's are.
    public static func isValid(_ data: Data, dimension: Int?, isUnit: Bool) -> Bool {
        guard let vector = elements(data), !vector.isEmpty,
            dimension.map({ $0 == vector.count }) ?? true
        else { return false }
        let squared = vector.reduce(Float(0)) { $0 + $1 * $1 }
        return squared.isFinite && (!isUnit || abs(squared - 1) <= unitTolerance)
    }
}
