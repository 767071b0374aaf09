import Kernels
import KernelsAVX2
import KernelsAVX512

/// The kernels of the `simd` backend, as compiled for one kind of processor.
///
/// The pointers are to code that the processor must be able to run: ``best`` looks first.
struct KernelSet: Sendable {
    typealias Rows = UnsafeMutablePointer<Float>
    typealias Values = UnsafePointer<Float>

    /// y ← activation(initial + x · part); see `Linear.apply`.
    typealias LinearKernel =
        @Sendable (
            _ x: Values, _ xStride: Int, _ rows: Int, _ part: Kernels.Linear.Part,
            _ initial: Values?, _ initialStride: Int, _ isGELU: Bool, _ y: Rows, _ yStride: Int,
            _ scratch: Rows
        ) -> Void
    /// See `Attention.apply`.
    typealias AttentionKernel =
        @Sendable (
            _ head: Kernels.Attention.Head, _ rows: Range<Int>, _ scratch: Rows, _ context: Rows,
            _ contextStride: Int, _ probabilities: Rows?
        ) -> Void
    /// x ← LN(x + bias + residual); see `LayerNorm.apply`.
    typealias ResidualNormKernel =
        @Sendable (
            _ x: Rows, _ bias: Values, _ residual: Values, _ gain: Values, _ shift: Values,
            _ epsilon: Float, _ rows: Int, _ width: Int
        ) -> Void
    /// x ← LN(x).
    typealias NormKernel =
        @Sendable (
            _ x: Rows, _ gain: Values, _ shift: Values, _ epsilon: Float, _ rows: Int, _ width: Int
        ) -> Void

    let name: String
    let linear: LinearKernel
    let attention: AttentionKernel
    let residualNorm: ResidualNormKernel
    let norm: NormKernel
    /// x ← GELU(x + bias); see `GELU.apply`.
    let gelu: @Sendable (_ x: Rows, _ bias: Values, _ rows: Int, _ width: Int) -> Void
    /// See `Softmax.apply`.
    let softmax: @Sendable (_ x: Rows, _ rows: Int, _ width: Int) -> Void
    /// Multiply-adds in registers; see `PeakRate.run`.
    let peak: @Sendable (_ rounds: Int, _ start: Float) -> Float
    /// Floating-point operations of one of its rounds.
    let peakOperations: Int

    /// Those that this processor runs, the fastest first.
    static let here = [
        ProcessorFeatures.hasAVX512 ? avx512 : nil, ProcessorFeatures.hasAVX2 ? avx2 : nil,
        portable,
    ].compactMap(\.self)

    static var best: KernelSet { here[0] }

    /// For every processor that the package is compiled for.
    static let portable = KernelSet(
        name: "portable vectors",
        linear: { x, xStride, rows, part, initial, initialStride, isGELU, y, yStride, scratch in
            Kernels.Linear.apply(
                x, xStride: xStride, rows: rows, part, initial: initial,
                initialStride: initialStride, activation: isGELU ? .gelu : .identity, into: y,
                yStride: yStride, scratch: scratch)
        },
        attention: { head, rows, scratch, context, contextStride, probabilities in
            Kernels.Attention.apply(
                head, rows: rows, scratch: scratch, into: context, contextStride: contextStride,
                probabilities: probabilities)
        },
        residualNorm: { x, bias, residual, gain, shift, epsilon, rows, width in
            Kernels.LayerNorm.apply(
                x, bias: bias, residual: residual, gain: gain, shift: shift, epsilon: epsilon,
                rows: rows, width: width)
        },
        norm: { x, gain, shift, epsilon, rows, width in
            Kernels.LayerNorm.apply(
                x, gain: gain, shift: shift, epsilon: epsilon, rows: rows, width: width)
        },
        gelu: { Kernels.GELU.apply($0, bias: $1, rows: $2, width: $3) },
        softmax: { Kernels.Softmax.apply($0, rows: $1, width: $2) },
        peak: { Kernels.PeakRate.run(rounds: $0, start: $1) },
        peakOperations: Kernels.PeakRate.operationsPerRound)

    /// For processors with AVX2 and fused multiply-add; nil where the package is compiled without.
    static let avx2: KernelSet? = {
        guard KernelsAVX2.Instructions.areFused else { return nil }
        return KernelSet(
            name: "AVX2, FMA",
            linear: { x, xStride, rows, part, initial, initialStride, isGELU, y, yStride, scratch in
                KernelsAVX2.Linear.apply(
                    x, xStride: xStride, rows: rows,
                    .init(
                        weight: part.weight, inner: part.inner, columns: part.columns,
                        panels: part.panels, rows: part.rows, next: part.next), initial: initial,
                    initialStride: initialStride, activation: isGELU ? .gelu : .identity, into: y,
                    yStride: yStride, scratch: scratch)
            },
            attention: { head, rows, scratch, context, contextStride, probabilities in
                KernelsAVX2.Attention.apply(
                    .init(
                        query: head.query, key: head.key, value: head.value, stride: head.stride,
                        length: head.length, size: head.size), rows: rows, scratch: scratch,
                    into: context, contextStride: contextStride, probabilities: probabilities)
            },
            residualNorm: { x, bias, residual, gain, shift, epsilon, rows, width in
                KernelsAVX2.LayerNorm.apply(
                    x, bias: bias, residual: residual, gain: gain, shift: shift, epsilon: epsilon,
                    rows: rows, width: width)
            },
            norm: { x, gain, shift, epsilon, rows, width in
                KernelsAVX2.LayerNorm.apply(
                    x, gain: gain, shift: shift, epsilon: epsilon, rows: rows, width: width)
            },
            gelu: { KernelsAVX2.GELU.apply($0, bias: $1, rows: $2, width: $3) },
            softmax: { KernelsAVX2.Softmax.apply($0, rows: $1, width: $2) },
            peak: { KernelsAVX2.PeakRate.run(rounds: $0, start: $1) },
            peakOperations: KernelsAVX2.PeakRate.operationsPerRound)
    }()

    /// For processors with AVX-512; nil where the package is compiled without.
    static let avx512: KernelSet? = {
        guard KernelsAVX512.Instructions.areFused else { return nil }
        return KernelSet(
            name: "AVX-512",
            linear: { x, xStride, rows, part, initial, initialStride, isGELU, y, yStride, scratch in
                KernelsAVX512.Linear.apply(
                    x, xStride: xStride, rows: rows,
                    .init(
                        weight: part.weight, inner: part.inner, columns: part.columns,
                        panels: part.panels, rows: part.rows, next: part.next), initial: initial,
                    initialStride: initialStride, activation: isGELU ? .gelu : .identity, into: y,
                    yStride: yStride, scratch: scratch)
            },
            attention: { head, rows, scratch, context, contextStride, probabilities in
                KernelsAVX512.Attention.apply(
                    .init(
                        query: head.query, key: head.key, value: head.value, stride: head.stride,
                        length: head.length, size: head.size), rows: rows, scratch: scratch,
                    into: context, contextStride: contextStride, probabilities: probabilities)
            },
            residualNorm: { x, bias, residual, gain, shift, epsilon, rows, width in
                KernelsAVX512.LayerNorm.apply(
                    x, bias: bias, residual: residual, gain: gain, shift: shift, epsilon: epsilon,
                    rows: rows, width: width)
            },
            norm: { x, gain, shift, epsilon, rows, width in
                KernelsAVX512.LayerNorm.apply(
                    x, gain: gain, shift: shift, epsilon: epsilon, rows: rows, width: width)
            },
            gelu: { KernelsAVX512.GELU.apply($0, bias: $1, rows: $2, width: $3) },
            softmax: { KernelsAVX512.Softmax.apply($0, rows: $1, width: $2) },
            peak: { KernelsAVX512.PeakRate.run(rounds: $0, start: $1) },
            peakOperations: KernelsAVX512.PeakRate.operationsPerRound)
    }()
}
