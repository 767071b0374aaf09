import Kernels
import Transformer

/// A model's tensors in memory, in the order of ``BertWeights/layout(_:)`` and stored as it says.
final class ConvertedWeights: @unchecked Sendable {  // filled by one thread, read-only after that
    struct Tensor {
        var layout: BertWeights.Layout
        var elements: UnsafeBufferPointer<Float>
    }

    private let configuration: BertConfiguration
    private(set) var tensors: [Tensor] = []

    init(_ configuration: BertConfiguration) { self.configuration = configuration }

    /// Adds a tensor.
    ///
    /// - Parameter elements: as in a checkpoint.
    func add(_ layout: BertWeights.Layout, _ elements: [Float]) {
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(
            capacity: layout.storedShape.reduce(1, *))
        if layout.isPacked, let base = buffer.baseAddress {
            elements.withUnsafeBufferPointer {
                guard let source = $0.baseAddress else { return }
                Panels.packTransposed(
                    source, stride: layout.shape[1], inner: layout.shape[1],
                    columns: layout.shape[0], into: base)
            }
        } else {
            _ = buffer.initialize(fromContentsOf: elements)
        }
        tensors.append(Tensor(layout: layout, elements: UnsafeBufferPointer(buffer)))
    }

    deinit { for tensor in tensors { tensor.elements.deallocate() } }

    /// The tensors as the encoder takes them.
    var weights: BertWeights {
        BertWeights(tensors.compactMap(\.elements.baseAddress), configuration, owner: self)
    }
}
