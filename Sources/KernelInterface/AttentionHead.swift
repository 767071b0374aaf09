/// A head's queries, keys and values, in the rows of a layer's.
///
/// Shapes: L tokens, D head size.
public struct AttentionHead {
    /// `[L, D]`, rows `stride` apart.
    public var query: UnsafePointer<Float>
    public var key: UnsafePointer<Float>
    public var value: UnsafePointer<Float>
    public var stride: Int
    public var length: Int
    public var size: Int

    public init(
        query: UnsafePointer<Float>, key: UnsafePointer<Float>, value: UnsafePointer<Float>,
        stride: Int, length: Int, size: Int
    ) {
        self.query = query
        self.key = key
        self.value = value
        self.stride = stride
        self.length = length
        self.size = size
    }
}
