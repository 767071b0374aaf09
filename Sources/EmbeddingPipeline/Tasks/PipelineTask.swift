import Foundation
import GRDB

/// A piece of work in the durable queue.
public struct PipelineTask: Codable, Sendable, Identifiable, Equatable, FetchableRecord, TableRecord
{
    public static let databaseTableName = "tasks"

    public var id: Int64
    public var name: String
    /// The id of what it works on.
    public var argument: Int64
    public var state: State
    /// Runs so far, counted before each.
    public var attempts: Int
    /// How often in a row its process ended before it had stored anything.
    public var interruptions: Int
    public var nextRunAt: Date
    /// Whether it was queued anew while it runs: then it runs once more.
    public var runsAgain: Bool
    /// Counts what its runs have stored.
    public var progress: Int
    public var leaseOwner: String?
    /// Grows with each lease: the fencing token.
    public var leaseToken: Int64
    public var leaseExpiresAt: Date?
    public var lastError: String?
    public var createdAt: Date
    public var updatedAt: Date

    public enum State: String, Codable, Sendable, CaseIterable, DatabaseValueConvertible {
        case queued
        case running
        case succeeded
        /// Failed for good: no try was left, or none would have helped.
        case dead
    }

    enum CodingKeys: String, CodingKey {
        case id, name, argument, state, attempts, interruptions, progress
        case nextRunAt = "next_run_at"
        case runsAgain = "runs_again"
        case leaseOwner = "lease_owner"
        case leaseToken = "lease_token"
        case leaseExpiresAt = "lease_expires_at"
        case lastError = "last_error"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}

/// One run of a task: its story is the list of them.
public struct TaskRun: Codable, Sendable, Equatable, FetchableRecord, TableRecord {
    public static let databaseTableName = "task_runs"

    public var attempt: Int
    public var owner: String
    public var startedAt: Date
    public var endedAt: Date?
    /// `succeeded`, `failed`, `interrupted` (its process ended), `stopped` (it was asked to) or
    /// `waiting` (others had its chunks in work).
    public var outcome: String?
    public var error: String?

    enum CodingKeys: String, CodingKey {
        case attempt, owner, outcome, error
        case startedAt = "started_at"
        case endedAt = "ended_at"
    }
}

/// The right to run a task, as long as nobody else has got it.
public struct TaskLease: Sendable, Equatable {
    public var taskID: Int64
    public var name: TaskName
    public var argument: Int64
    public var attempts: Int
    var token: Int64
}
