import Transformer

extension Backend {
    /// The tokens of a batch where nobody measured what is best here: enough to compute well, few enough
    /// that others do not wait long.
    ///
    /// `simd` takes a batch through the layers in blocks of some 120 rows anyway: with more in a batch
    /// only its hidden states no longer stay in the second cache. BLAS libraries pack the weights
    /// for each product, which pays for many rows.
    public var standardBatchTokenCount: Int {
        switch self {
        case .simd: 128
        case .openblas: 512
        }
    }
}
