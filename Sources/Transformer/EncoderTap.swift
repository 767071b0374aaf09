/// Sees each stage's tensor as a forward pass makes it: for tests, traces and comparisons with
/// other implementations.
public struct EncoderTap {
    public enum Stage: Equatable, Sendable {
        /// After the embeddings and their LayerNorm (0), after layer n (n): `[T, H]`.
        case hidden(Int)
        /// Queries, keys and values side by side: `[T, 3H]`.
        case qkv(layer: Int)
        /// After the softmax: `[L, L]`.
        case attention(layer: Int, sequence: Int, head: Int)
        /// All heads' contexts side by side: `[T, H]`.
        case context(layer: Int)
        /// After the attention's output layer and LayerNorm: `[T, H]`.
        case attentionOutput(layer: Int)
        /// After GELU: `[T, I]`.
        case intermediate(layer: Int)
    }

    public var see: (Stage, _ rows: Int, _ columns: Int, UnsafePointer<Float>) -> Void

    public init(_ see: @escaping (Stage, Int, Int, UnsafePointer<Float>) -> Void) { self.see = see }
}
