import Kernels

/// The weights of a linear layer, in panels of outputs: `[panels, inner, 16]`.
///
/// This is how they stand in a model file, so that the kernels use them where they are mapped and
/// all processes share them.
public struct PackedMatrix {
    public let elements: UnsafePointer<Float>
    /// The layer's inputs.
    public let inner: Int
    /// The layer's outputs.
    public let columns: Int

    public var panelCount: Int { Panels.count(columns: columns) }

    /// Where a panel begins.
    func panel(_ index: Int) -> UnsafePointer<Float> { elements + index * inner * Panels.width }

    public init(_ elements: UnsafePointer<Float>, inner: Int, columns: Int) {
        self.elements = elements
        self.inner = inner
        self.columns = columns
    }

    /// The weight from an input to an output.
    public subscript(column: Int, k: Int) -> Float {
        elements[(column / Panels.width * inner + k) * Panels.width + column % Panels.width]
    }

    /// The shape of the elements of a layer with these inputs and outputs.
    public static func shape(inner: Int, columns: Int) -> [Int] {
        [Panels.count(columns: columns), inner, Panels.width]
    }

    /// The weights as checkpoints store them, `[columns, inner]`, row-major.
    public func rowMajor() -> [Float] {
        .init(unsafeUninitializedCapacity: columns * inner) { buffer, count in
            if let base = buffer.baseAddress {
                Panels.unpackTransposed(elements, inner: inner, columns: columns, into: base)
            }
            count = columns * inner
        }
    }
}
