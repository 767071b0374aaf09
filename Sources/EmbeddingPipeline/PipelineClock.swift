import EmbeddingEngine
import Foundation

/// The time, so that tests can set it.
public protocol PipelineClock: Sendable {
    var now: Date { get }
}

/// The time of the machine.
public struct SystemClock: PipelineClock {
    public init() {}
    /// In whole milliseconds, as the database keeps it.
    public var now: Date {
        Date(timeIntervalSince1970: (Date().timeIntervalSince1970 * 1000).rounded(.down) / 1000)
    }
}
