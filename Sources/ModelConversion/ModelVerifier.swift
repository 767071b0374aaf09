import EmbeddingEngine
import Transformer

/// Checks a model file: its fingerprint, its weights, and that this machine computes its self-test
/// vectors.
public struct ModelVerification: Sendable, Equatable {
    /// The fingerprint that the file's content has; equal to the one it states unless it is
    /// damaged.
    public var actualFingerprint: String
    public var statedFingerprint: String
    /// The first tensor with a NaN or an infinity.
    public var nonFiniteTensor: String?
    public var selfTestCount: Int
    /// The largest difference between an element that this machine computes and the one in the
    /// file.
    public var largestDifference: Float
    /// Float32 rounding through a dozen layers stays well below this.
    public static let tolerance: Float = 1e-5

    public var isSound: Bool {
        actualFingerprint == statedFingerprint && nonFiniteTensor == nil
            && largestDifference <= Self.tolerance
    }

    /// - Throws: `ModelError` or `EmbeddingError`.
    public init(_ embedder: Embedder) throws {
        let model = embedder.model
        statedFingerprint = model.settings.fingerprint
        let layout = BertWeights.layout(model.settings.configuration)
        let stored = try Dictionary(
            uniqueKeysWithValues: layout.map {
                let elements = try model.file.elements(
                    $0.name, .f32, $0.storedShape, as: Float.self)
                return ($0.name, (layout: $0, elements: elements))
            })
        actualFingerprint = Digest.fingerprint(model.settings) { name, hash in
            if let weights = stored[name] {
                weights.layout.logical(weights.elements).withUnsafeBytes(hash)
            } else if let tensor = model.file.tensor(name) {
                hash(model.file.bytes(of: tensor))
            }
        }
        let expected = try model.selfTestVectors()
        // No comparison with a NaN fails, so the vectors to compare with are looked at too.
        nonFiniteTensor =
            layout.first { stored[$0.name]?.elements.contains { !$0.isFinite } ?? false }?.name
            ?? (expected.allSatisfy(\.isFinite) ? nil : EmbeddingModel.TensorName.selfTestVectors)
        selfTestCount = model.settings.selfTestTexts.count
        largestDifference = 0
        guard nonFiniteTensor == nil else { return }
        let actual = try embedder.embed(model.settings.selfTestTexts).vectors
        largestDifference = Self.largestDifference(actual, expected)
    }

    /// The largest difference of two elements; vectors beyond unit length are compared by their own
    /// scale.
    static func largestDifference(
        _ actual: some Collection<Float>, _ expected: some Collection<Float>
    ) -> Float {
        let scale = max(1, expected.reduce(0) { max($0, abs($1)) })
        return zip(actual, expected).reduce(0) { max($0, abs($1.0 - $1.1) / scale) }
    }
}
