import Transformer

/// A model's tensors in memory, in the order of ``BertWeights/layout(_:)``.
final class ConvertedWeights: @unchecked Sendable {  // filled by one thread, read-only after that
    struct Tensor {
        var name: String
        var shape: [Int]
        var elements: UnsafeBufferPointer<Float>
    }

    private(set) var tensors: [Tensor] = []

    /// Makes room for a tensor, of zeros.
    func add(_ name: String, _ shape: [Int]) -> UnsafeMutableBufferPointer<Float> {
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: shape.reduce(1, *))
        buffer.initialize(repeating: 0)
        tensors.append(
            Tensor(name: name, shape: shape, elements: UnsafeBufferPointer(buffer)))
        return buffer
    }

    deinit { for tensor in tensors { tensor.elements.deallocate() } }

    /// The tensors as the encoder takes them.
    var weights: BertWeights {
        BertWeights(tensors.compactMap(\.elements.baseAddress), owner: self)
    }
}
