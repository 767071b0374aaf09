import Foundation
import GRDB

extension Library {
    /// The tasks of a state, or all, newest first.
    public func tasks(
        _ state: PipelineTask.State? = nil, limit: Int = 1000
    ) throws(PipelineError) -> [PipelineTask] {
        try read { db in
            var request = PipelineTask.order(Column("id").desc).limit(limit)
            if let state { request = request.filter(Column("state") == state) }
            return try request.fetchAll(db)
        }
    }

    /// - Throws: `PipelineError.noSuchTask`.
    public func task(id: Int64) throws(PipelineError) -> PipelineTask {
        try read { db in
            guard let task = try PipelineTask.fetchOne(db, key: id) else {
                throw PipelineError.noSuchTask(id)
            }
            return task
        }
    }

    /// All runs of a task, oldest first.
    public func runs(taskID: Int64) throws(PipelineError) -> [TaskRun] {
        try read { db in
            try TaskRun.filter(Column("task_id") == taskID).order(Column("id")).fetchAll(db)
        }
    }

    /// How many tasks are in each state.
    public func taskCounts() throws(PipelineError) -> [PipelineTask.State: Int] {
        try read { db in
            let rows = try Row.fetchAll(
                db, sql: "SELECT state, count(*) AS count FROM tasks GROUP BY state")
            var counts: [PipelineTask.State: Int] = [:]
            for row in rows {
                guard let state = PipelineTask.State(rawValue: try row.value("state")) else {
                    continue
                }
                counts[state] = try row.value("count")
            }
            return counts
        }
    }

    /// Makes a dead or waiting task due now, with all its tries to come. A dead one keeps its story.
    ///
    /// - Returns: false when the task runs, has succeeded, or the same work is queued already.
    /// - Throws: `PipelineError.noSuchTask`.
    @discardableResult
    public func retryTask(id: Int64) throws(PipelineError) -> Bool {
        try write { db in
            guard let task = try PipelineTask.fetchOne(db, key: id) else {
                throw PipelineError.noSuchTask(id)
            }
            let isQueued = try Bool.fetchOne(
                db,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM tasks WHERE name = ? AND argument = ? AND id <> ?
                        AND state IN ('queued', 'running'))
                    """, arguments: [task.name, task.argument, id])
            guard [.dead, .queued].contains(task.state), isQueued != true else { return false }
            try db.execute(
                sql: """
                    UPDATE tasks SET state = 'queued', attempts = 0, interruptions = 0, next_run_at = :now,
                        updated_at = :now WHERE id = :id
                    """, arguments: ["now": clock.now, "id": id])
            return true
        }
    }

    static func removeTasks(_ db: Database, _ names: [TaskName], argument: Int64) throws {
        for name in names {
            try db.execute(
                sql: "DELETE FROM tasks WHERE name = ? AND argument = ?",
                arguments: [name, argument])
        }
    }

    /// Forgets tasks that succeeded before a time.
    @discardableResult
    public func removeSucceededTasks(before date: Date) throws(PipelineError) -> Int {
        try write { db in
            try db.execute(
                sql: "DELETE FROM tasks WHERE state = 'succeeded' AND updated_at < ?",
                arguments: [date])
            return db.changesCount
        }
    }
}
