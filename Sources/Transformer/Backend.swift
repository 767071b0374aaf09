import CProcessor
import KernelInterface

/// What computes the matrix products.
public enum Backend: String, Sendable, CaseIterable {
    /// The BLAS library, on every processor it knows.
    case openblas
    /// The kernels of this package, over weights in panels.
    case simd

    /// Whether its library is there; no other can be asked to compute.
    public var isInstalled: Bool { self == .simd || BLAS.isInstalled }

    /// Those whose library is there.
    public static var installed: [Backend] { allCases.filter(\.isInstalled) }

    /// What it is, for people.
    public var description: String {
        switch self {
        case .openblas: BLAS.description
        case .simd: "Swift kernels (\(KernelSet.best.name))"
        }
    }
}

/// The features of this processor that kernels are compiled for.
public enum ProcessorFeatures {
    /// AVX2 and fused multiply-add.
    public static let hasAVX2 = processor_has_avx2_fma()
    /// AVX-512: F, VL, DQ and BW.
    public static let hasAVX512 = processor_has_avx512()
}
