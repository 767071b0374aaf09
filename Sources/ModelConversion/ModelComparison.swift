import EmbeddingEngine

/// How far two models' vectors of the same texts lie apart, as cosines.
public struct ModelComparison: Sendable {
    /// One cosine a text, in the order in which the texts came.
    public private(set) var cosines: [Double] = []
    private let old: Embedder
    private let new: Embedder

    public enum Failure: Error, Equatable, CustomStringConvertible {
        /// Vectors of different lengths have no cosine.
        case dimensionMismatch(old: Int, new: Int)

        public var description: String {
            switch self {
            case .dimensionMismatch(let old, let new):
                "the models' vectors have \(old) and \(new) dimensions and cannot be compared"
            }
        }
    }

    public init(old: Embedder, new: Embedder) throws(Failure) {
        guard old.model.dimension == new.model.dimension else {
            throw .dimensionMismatch(old: old.model.dimension, new: new.model.dimension)
        }
        self.old = old
        self.new = new
    }

    /// Compares more texts.
    ///
    /// - Throws: `EmbeddingError`.
    public mutating func add(_ texts: [String]) throws(EmbeddingError) {
        let a = try old.embed(texts)
        let b = try new.embed(texts)
        for i in 0..<texts.count { cosines.append(Cosine.similarity(a[i], b[i])) }
    }

    public var mean: Double { cosines.reduce(0, +) / Double(max(1, cosines.count)) }

    /// The cosine that `percent` of the texts do not exceed (nearest rank).
    public func percentile(_ percent: Double) -> Double {
        let sorted = cosines.sorted()
        guard !sorted.isEmpty else { return .nan }
        let rank = (percent / 100 * Double(sorted.count)).rounded(.up)
        return sorted[min(max(Int(rank) - 1, 0), sorted.count - 1)]
    }
}
