import KernelInterface

/// These kernels, as functions that are alike for all processors.
public enum CompiledKernels {
    #if LONG_VECTORS
        private static let name = "AVX-512"
    #elseif FUSED_MULTIPLY_ADD
        private static let name = "AVX2, FMA"
    #else
        private static let name = "portable vectors"
    #endif

    public static let all = KernelSet(
        name: name,
        linear: { x, xStride, rows, part, initial, initialStride, isGELU, y, yStride, scratch in
            Linear.apply(
                x, xStride: xStride, rows: rows, part, initial: initial,
                initialStride: initialStride, activation: isGELU ? .gelu : .identity, into: y,
                yStride: yStride, scratch: scratch)
        },
        attention: { head, rows, scratch, context, contextStride, probabilities in
            Attention.apply(
                head, rows: rows, scratch: scratch, into: context, contextStride: contextStride,
                probabilities: probabilities)
        },
        residualNorm: { x, bias, residual, gain, shift, epsilon, rows, width in
            LayerNorm.apply(
                x, bias: bias, residual: residual, gain: gain, shift: shift, epsilon: epsilon,
                rows: rows, width: width)
        },
        norm: { x, gain, shift, epsilon, rows, width in
            LayerNorm.apply(
                x, gain: gain, shift: shift, epsilon: epsilon, rows: rows, width: width)
        },
        gelu: { GELU.apply($0, bias: $1, rows: $2, width: $3) },
        softmax: { Softmax.apply($0, rows: $1, width: $2) },
        peak: { PeakRate.run(rounds: $0, start: $1) },
        peakOperations: PeakRate.operationsPerRound)
}
