/// The kernels of the `simd` backend, as compiled for one kind of processor.
///
/// Whoever calls them must have looked whether the processor can run them.
public struct KernelSet: Sendable {
    public typealias Rows = UnsafeMutablePointer<Float>
    public typealias Values = UnsafePointer<Float>

    /// y ← activation(initial + x · part); see `Linear.apply`.
    public typealias LinearKernel =
        @Sendable (
            _ x: Values, _ xStride: Int, _ rows: Int, _ part: ProductPart,
            _ initial: Values?, _ initialStride: Int, _ isGELU: Bool, _ y: Rows, _ yStride: Int,
            _ scratch: Rows
        ) -> Void
    /// See `Attention.apply`.
    public typealias AttentionKernel =
        @Sendable (
            _ head: AttentionHead, _ rows: Range<Int>, _ scratch: Rows, _ context: Rows,
            _ contextStride: Int, _ probabilities: Rows?
        ) -> Void
    /// x ← LN(x + bias + residual); see `LayerNorm.apply`.
    public typealias ResidualNormKernel =
        @Sendable (
            _ x: Rows, _ bias: Values, _ residual: Values, _ gain: Values, _ shift: Values,
            _ epsilon: Float, _ rows: Int, _ width: Int
        ) -> Void
    /// x ← LN(x).
    public typealias NormKernel =
        @Sendable (
            _ x: Rows, _ gain: Values, _ shift: Values, _ epsilon: Float, _ rows: Int, _ width: Int
        ) -> Void

    public let name: String
    public let linear: LinearKernel
    public let attention: AttentionKernel
    public let residualNorm: ResidualNormKernel
    public let norm: NormKernel
    /// x ← GELU(x + bias); see `GELU.apply`.
    public let gelu: @Sendable (_ x: Rows, _ bias: Values, _ rows: Int, _ width: Int) -> Void
    /// See `Softmax.apply`.
    public let softmax: @Sendable (_ x: Rows, _ rows: Int, _ width: Int) -> Void
    /// Multiply-adds in registers; see `PeakRate.run`.
    public let peak: @Sendable (_ rounds: Int, _ start: Float) -> Float
    /// Floating-point operations of one of its rounds.
    public let peakOperations: Int

    public init(
        name: String,
        linear: @escaping LinearKernel,
        attention: @escaping AttentionKernel,
        residualNorm: @escaping ResidualNormKernel,
        norm: @escaping NormKernel,
        gelu: @escaping @Sendable (_ x: Rows, _ bias: Values, _ rows: Int, _ width: Int) -> Void,
        softmax: @escaping @Sendable (_ x: Rows, _ rows: Int, _ width: Int) -> Void,
        peak: @escaping @Sendable (_ rounds: Int, _ start: Float) -> Float,
        peakOperations: Int
    ) {
        self.name = name
        self.linear = linear
        self.attention = attention
        self.residualNorm = residualNorm
        self.norm = norm
        self.gelu = gelu
        self.softmax = softmax
        self.peak = peak
        self.peakOperations = peakOperations
    }
}
