import KernelInterface
import Kernels

/// The BERT encoder: packed token ids in, a pooled vector a sequence out.
///
/// Devlin et al. 2018, https://arxiv.org/abs/1810.04805. Immutable and shared by all threads; each
/// brings its own workspace.
///
/// Shapes: T tokens of all sequences, N sequences, L tokens of one, H hidden, A heads, D head size,
/// I intermediate.
public struct BertEncoder: Sendable {
    public let configuration: BertConfiguration
    public let weights: BertWeights
    public let pooling: PoolingMode
    /// What computes the matrix products.
    public let backend: Backend
    /// The weights as the BLAS library takes them; nil where it does not compute.
    let rowMajor: RowMajorWeights?
    let kernels: KernelSet

    public init(
        _ configuration: BertConfiguration, _ weights: BertWeights, pooling: PoolingMode,
        backend: Backend = .simd
    ) {
        self.init(configuration, weights, pooling: pooling, backend: backend, kernels: .best)
    }

    init(
        _ configuration: BertConfiguration, _ weights: BertWeights, pooling: PoolingMode,
        backend: Backend, kernels: KernelSet
    ) {
        self.configuration = configuration
        self.weights = weights
        self.pooling = pooling
        self.backend = backend
        self.kernels = kernels
        precondition(backend.isInstalled, "\(backend.rawValue) is not installed")
        rowMajor = backend == .openblas ? RowMajorWeights(weights) : nil
    }

    /// Whether threads can help with a pass.
    public var usesTeams: Bool { backend == .simd }

    /// The same model on another backend, which must be installed.
    public func on(_ backend: Backend) -> BertEncoder {
        backend == self.backend
            ? self
            : BertEncoder(
                configuration, weights, pooling: pooling, backend: backend, kernels: kernels)
    }

    /// The same model on the `simd` backend with each set of kernels that this processor runs, by
    /// name, the fastest first.
    package func onAllKernels() -> [(name: String, encoder: BertEncoder)] {
        KernelSet.here.map {
            (
                $0.name,
                BertEncoder(
                    configuration, weights, pooling: pooling, backend: .simd, kernels: $0)
            )
        }
    }

    /// The alignment of sequences with which each row of a product has the same bits whatever else
    /// is in the batch; nil where none does it.
    ///
    /// The `simd` kernels need none. BLAS libraries compute rows by tiles, and a row's place in its
    /// tile decides the order of its sums. Measured on products of this model's shapes, in some ten
    /// milliseconds.
    public func measuredRowAlignment() -> Int? {
        if backend == .simd { return 1 }
        let (hidden, inner) = (configuration.hiddenSize, configuration.intermediateSize)
        return RowAlignment.measure(shapes: [
            (hidden, 3 * hidden), (hidden, hidden), (hidden, inner), (inner, hidden),
        ])
    }

    /// Computes the pooled vectors of a batch.
    ///
    /// - Parameters:
    ///   - normalize: whether each vector is scaled to unit length.
    ///   - output: `[N, H]`, overwritten.
    ///   - tap: sees each stage's tensor.
    ///   - team: threads that help; the `simd` backend makes use of them.
    ///   - profile: counts the time of each stage; not with a team.
    /// - Throws: `TransformerError`: an id or a length out of range, or a result that is not
    ///   finite.
    public func forward(
        _ batch: PackedBatch, workspace: EncoderWorkspace, normalize: Bool,
        into output: UnsafeMutableBufferPointer<Float>, tap: EncoderTap? = nil,
        team: EncoderTeam? = nil, profile: EncoderProfile? = nil
    ) throws(TransformerError) {
        guard batch.sequenceCount > 0, let out = output.baseAddress else { return }
        precondition(output.count == batch.sequenceCount * configuration.hiddenSize)
        try check(batch)
        if let rowMajor {
            BLASPass(self, rowMajor, batch, workspace, tap, profile).compute()
        } else {
            SIMDPass(
                self, batch, workspace, tap, team ?? EncoderTeam(memberCount: 1), profile
            ).compute()
        }
        profile.measure(.pooling) { pool(batch, workspace, normalize: normalize, into: out) }
        try checkFinite(output)
    }

    private func check(_ batch: PackedBatch) throws(TransformerError) {
        for id in batch.tokenIDs where id < 0 || id >= configuration.vocabularySize {
            throw .tokenOutOfRange(id: id, vocabularySize: configuration.vocabularySize)
        }
        for sequence in batch.sequences {
            guard (1...configuration.maximumPositionCount).contains(sequence.count) else {
                throw .sequenceLengthOutOfRange(
                    sequence.count, limit: configuration.maximumPositionCount)
            }
        }
    }

    private func pool(
        _ batch: PackedBatch, _ workspace: EncoderWorkspace, normalize: Bool,
        into out: UnsafeMutablePointer<Float>
    ) {
        let width = configuration.hiddenSize
        for (n, sequence) in batch.sequences.enumerated() {
            let rows = sequence.count
            let x = workspace.hidden.pointer + sequence.lowerBound * width
            let vector = out + n * width
            switch pooling {
            case .mean: Pooling.mean(x, rows: rows, width: width, into: vector)
            case .max: Pooling.max(x, rows: rows, width: width, into: vector)
            case .cls: vector.update(from: x, count: width)
            }
            if normalize { Pooling.normalize(vector, width: width) }
        }
    }

    private func checkFinite(
        _ output: UnsafeMutableBufferPointer<Float>
    ) throws(TransformerError) {
        // x * 0 is 0 for every finite x and NaN for the rest.
        let sum = output.reduce(Float(0)) { $0 + $1 * 0 }
        guard sum != 0 else { return }
        let bad = output.firstIndex { !$0.isFinite } ?? 0
        throw .nonFiniteOutput(sequence: bad / configuration.hiddenSize)
    }
}
