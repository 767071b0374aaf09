import EmbeddingEngine
import Foundation
import GRDB

extension Library {
    /// Queues a task. What is queued already is queued once; what runs now runs once more after.
    ///
    /// - Returns: its id.
    @discardableResult
    public func enqueue(_ name: TaskName, _ argument: Int64) throws(PipelineError) -> Int64 {
        try write { db in try enqueue(db, name, argument) }
    }

    @discardableResult
    func enqueue(_ db: Database, _ name: TaskName, _ argument: Int64) throws -> Int64 {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT id, state FROM tasks
                WHERE name = ? AND argument = ? AND state IN ('queued', 'running')
                """, arguments: [name, argument])
        if let row {
            try db.execute(
                sql: """
                    UPDATE tasks SET runs_again = 1, updated_at = ?
                    WHERE id = ? AND state = 'running'
                    """, arguments: [clock.now, row["id"]])
            return try row.value("id")
        }
        try db.execute(
            sql: """
                INSERT INTO tasks (name, argument, next_run_at, created_at, updated_at)
                VALUES (:name, :argument, :now, :now, :now)
                """, arguments: ["name": name, "argument": argument, "now": clock.now])
        return db.lastInsertedRowID
    }

    /// Takes the task that is due for longest. The attempt is counted here, before the work.
    ///
    /// - Returns: nil when none is due.
    public func leaseTask() throws(PipelineError) -> TaskLease? {
        let isDue = try read { db in
            try Bool.fetchOne(
                db,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 'queued' AND next_run_at <= ?)
                    """, arguments: [clock.now])
        }
        guard isDue == true else { return nil }
        return try write { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    UPDATE tasks SET state = 'running', attempts = attempts + 1, runs_again = 0,
                        progress = 0, lease_owner = :owner, lease_token = lease_token + 1,
                        lease_expires_at = :end, updated_at = :now
                    WHERE id = (SELECT id FROM tasks
                        WHERE state = 'queued' AND next_run_at <= :now
                        ORDER BY next_run_at, id LIMIT 1)
                    RETURNING id, name, argument, attempts, lease_token
                    """,
                arguments: ["owner": owner.description, "end": leaseEnd, "now": clock.now])
            guard let row else { return nil }
            try db.execute(
                sql: """
                    INSERT INTO task_runs (task_id, attempt, owner, started_at) VALUES (?, ?, ?, ?)
                    """,
                arguments: [row["id"], row["attempts"], owner.description, clock.now])
            guard let name = TaskName(rawValue: try row.value("name")) else {
                throw PipelineError.database("unknown task \((try row.value("name")) as String)")
            }
            return TaskLease(
                taskID: try row.value("id"), name: name, argument: try row.value("argument"),
                attempts: try row.value("attempts"), token: try row.value("lease_token"))
        }
    }

    /// Notes that a task has stored something.
    ///
    /// - Throws: `PipelineError.leaseLost` when someone else has it now.
    package func renew(_ db: Database, _ lease: TaskLease) throws {
        try db.execute(
            sql: """
                UPDATE tasks SET progress = progress + 1, lease_expires_at = ?
                WHERE id = ? AND state = 'running' AND lease_token = ?
                """, arguments: [leaseEnd, lease.taskID, lease.token])
        guard db.changesCount == 1 else { throw PipelineError.leaseLost }
    }

    /// How a task's run ended.
    public enum TaskEnd: Sendable, Equatable {
        case succeeded
        case failed(String, isPassing: Bool)
        /// Asked to stop before the end; the attempt does not count.
        case stopped
        /// Others have what it was to do in work; it looks again soon, and the attempt does not
        /// count.
        case waiting
    }

    /// How soon a task that waits for others looks again.
    private static let waitingTime: TimeInterval = 5

    /// Ends a task's run: it succeeded, will be tried again, or is dead.
    ///
    /// - Returns: false when someone else has the task by now; nothing is changed then.
    @discardableResult
    public func endTask(
        _ lease: TaskLease, _ end: TaskEnd, jitter: RetrySchedule.Jitter = .random
    ) throws(PipelineError) -> Bool {
        try write { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT attempts, runs_again FROM tasks
                    WHERE id = ? AND state = 'running' AND lease_token = ?
                    """, arguments: [lease.taskID, lease.token])
            guard let row else { return false }
            let now = clock.now
            let next = Self.next(
                lease.name, end, attempts: try row.value("attempts"),
                runsAgain: try row.value("runs_again"), now: now, jitter: jitter)
            try self.apply(db, lease.taskID, next, end, now)
            return true
        }
    }

    /// What becomes of a task.
    struct NextState: Equatable {
        var state: PipelineTask.State
        var attempts: Int
        var runAt: Date
    }

    /// Decides what becomes of a task after a run.
    static func next(
        _ name: TaskName, _ end: TaskEnd, attempts: Int, runsAgain: Bool, now: Date,
        jitter: RetrySchedule.Jitter
    ) -> NextState {
        switch end {
        case .stopped: NextState(state: .queued, attempts: attempts - 1, runAt: now)
        case .waiting:
            NextState(state: .queued, attempts: attempts - 1, runAt: now + waitingTime)
        case .succeeded where runsAgain, .failed(_, isPassing: false) where runsAgain:
            NextState(state: .queued, attempts: 0, runAt: now)
        case .succeeded: NextState(state: .succeeded, attempts: attempts, runAt: now)
        case .failed(_, isPassing: false):
            NextState(state: .dead, attempts: attempts, runAt: now)
        case .failed(_, isPassing: true):
            if runsAgain {
                // What was queued meanwhile is new work, with all its tries to come.
                NextState(state: .queued, attempts: 0, runAt: now)
            } else if let delay = name.retrySchedule.delay(attempts: attempts, jitter: jitter) {
                NextState(
                    state: .queued, attempts: attempts,
                    runAt: now.addingTimeInterval(delay.seconds))
            } else {
                NextState(state: .dead, attempts: attempts, runAt: now)
            }
        }
    }

    private func apply(
        _ db: Database, _ id: Int64, _ next: NextState, _ end: TaskEnd, _ now: Date
    ) throws {
        let (outcome, error): (String, String?) =
            switch end {
            case .succeeded: ("succeeded", nil)
            case .failed(let reason, _): ("failed", reason)
            case .stopped: ("stopped", nil)
            case .waiting: ("waiting", nil)
            }
        try db.execute(
            sql: """
                UPDATE tasks SET state = ?, attempts = ?, interruptions = 0, next_run_at = ?,
                    runs_again = 0, lease_owner = NULL, lease_expires_at = NULL,
                    last_error = iif(? IN ('stopped', 'waiting'), last_error, ?), updated_at = ?
                WHERE id = ?
                """,
            arguments: [next.state, next.attempts, next.runAt, outcome, error, now, id])
        try endRun(db, id, outcome, error, now)
    }

    private func endRun(
        _ db: Database, _ id: Int64, _ outcome: String, _ error: String?, _ now: Date
    ) throws {
        try db.execute(
            sql: """
                UPDATE task_runs SET ended_at = ?, outcome = ?, error = ?
                WHERE task_id = ? AND ended_at IS NULL
                """, arguments: [now, outcome, error, id])
    }

    /// Takes tasks back from workers that are gone, and frees their chunks.
    ///
    /// A run that ended with its process did not fail: it goes on at once, and does not count. Only
    /// a task whose process ends ``interruptionLimit`` times in a row before it has stored anything
    /// is dead: it is what ends them. (A chunk that does is found by its own count.)
    public func recoverAbandoned() throws(PipelineError) {
        let leases = try read { db in
            let tasks = try String.fetchAll(
                db,
                sql: "SELECT coalesce(lease_owner, '') FROM tasks WHERE state = 'running'")
            return try tasks + String.fetchAll(db, sql: "SELECT owner FROM claims")
        }
        guard hasRelinquished || leases.contains(where: { $0 != owner.description }) else { return }
        try write { db in
            try releaseAbandonedClaims(db)
            let tasks = try PipelineTask.filter(Column("state") == PipelineTask.State.running)
                .fetchAll(db)
            for task in tasks where isAbandoned(task) { try recover(db, task) }
        }
    }

    /// Whether an owner's lease ended, or its process.
    static func isAbandoned(_ owner: String, leaseEnd: Date, now: Date) -> Bool {
        leaseEnd < now || LeaseOwner(owner)?.isGone ?? true
    }

    private func isAbandoned(_ task: PipelineTask) -> Bool {
        let description = task.leaseOwner ?? ""
        guard description != owner.description else { return false }
        return Self.isAbandoned(
            description, leaseEnd: task.leaseExpiresAt ?? .distantPast, now: clock.now)
    }

    /// See ``recoverAbandoned()``.
    package static let interruptionLimit = 10

    private func recover(_ db: Database, _ task: PipelineTask) throws {
        let interruptions = task.progress > 0 || task.runsAgain ? 0 : task.interruptions + 1
        let isDead = interruptions >= Self.interruptionLimit
        let error = "the process that ran it ended"
        let now = clock.now
        try db.execute(
            sql: """
                UPDATE tasks SET state = ?, attempts = max(0, attempts - 1), interruptions = ?,
                    next_run_at = ?, runs_again = 0, lease_owner = NULL, lease_expires_at = NULL,
                    last_error = ?, updated_at = ?
                WHERE id = ?
                """,
            arguments: [
                isDead ? PipelineTask.State.dead : .queued, interruptions, now, error, now,
                task.id,
            ])
        try endRun(db, task.id, "interrupted", error, now)
    }
}
