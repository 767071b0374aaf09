import Transformer

/// How a model runs on a machine, and why.
public struct Tuning: Sendable, Equatable {
    public var backend: Backend
    public var threadCount: Int
    /// The tokens of a batch.
    public var batchTokenCount: Int
    /// What it was chosen by.
    public var basis: Basis
    /// What each backend reached on one thread, in GFLOPS; none where nothing was measured.
    public var rates: [Backend: Double]

    public enum Basis: String, Sendable {
        /// A short trial at the start.
        case trial
        /// `minilm tune`, or an earlier trial, as remembered in a file.
        case remembered
        /// `minilm tune`, just now.
        case measured
    }

    public init(
        backend: Backend, threadCount: Int, batchTokenCount: Int, basis: Basis,
        rates: [Backend: Double]
    ) {
        self.backend = backend
        self.threadCount = threadCount
        self.batchTokenCount = batchTokenCount
        self.basis = basis
        self.rates = rates
    }

    /// For people: what was chosen and why.
    public var reason: String {
        let figures = Backend.allCases.compactMap { backend in
            rates[backend].map { "\(backend.rawValue) \(Int($0.rounded())) GFLOPS a thread" }
        }
        if figures.isEmpty { return "there is no GPU to use, and no other backend can run here" }
        let source =
            switch basis {
            case .trial: "a short trial at the start"
            case .remembered: "a trial that was remembered"
            case .measured: "a trial just now"
            }
        return "there is no GPU to use; \(source): \(figures.joined(separator: ", "))"
    }
}

extension Embedder.Configuration {
    /// Why this backend computes, for people.
    public var backendReason: String {
        tuning?.reason ?? "there is no GPU to use; the backend was chosen by name"
    }
}
