/// Exponential backoff: each wait is twice the one before.
public struct RetrySchedule: Sendable, Equatable {
    /// Tries after the first.
    public var retryCount: Int
    public var firstDelay: Duration

    public init(retryCount: Int, firstDelay: Duration) {
        self.retryCount = retryCount
        self.firstDelay = firstDelay
    }

    /// How long to wait after a failure.
    ///
    /// - Parameters:
    ///   - attempts: how often it was tried, this failure included.
    ///   - jitter: see ``Jitter``.
    /// - Returns: nil when no try is left.
    public func delay(attempts: Int, jitter: Jitter = .none) -> Duration? {
        guard (1...max(1, retryCount)).contains(attempts), retryCount > 0 else { return nil }
        return firstDelay * (1 << (attempts - 1)) * jitter.factor()
    }

    /// What is added to waits, so that many that failed together do not come back together.
    public enum Jitter: Sendable, Equatable {
        /// Nothing: the exact schedule.
        case none
        /// Up to a quarter, at random; never earlier than the schedule.
        case random

        func factor() -> Double {
            switch self {
            case .none: 1
            case .random: .random(in: 1...1.25)
            }
        }
    }
}
