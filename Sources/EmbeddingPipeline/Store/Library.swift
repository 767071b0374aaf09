import EmbeddingEngine
import Foundation
import GRDB

/// A library of materials in one SQLite file: subjects, materials, chunks, tasks.
///
/// Each change is one transaction, on disk when it returns. Several processes may have the file
/// open; each has one connection.
public final class Library: Sendable {
    public let path: String
    let clock: any PipelineClock
    package let owner: LeaseOwner
    private let queue: DatabaseQueue
    private let heartbeat: Heartbeat
    private let busyLimit: BusyLimit
    let matrix: MatrixKeeper
    let leaseDuration: Duration
    /// Claims of this process that nobody works on any more, and that are not given back yet.
    let relinquished = Monitor<[Int64]>([])

    /// How a library is opened.
    public struct Options: Sendable {
        /// Whether a file is made where there is none.
        public var creates = true
        public var isReadOnly = false
        /// How long a transaction waits for those of other processes.
        public var busyTimeout = Duration.seconds(15)
        /// How long a lease lasts that nobody renews.
        public var leaseDuration = Duration.seconds(60)
        /// Ends a wait for others early.
        public var isStopRequested: @Sendable () -> Bool = { false }

        public init() {}
    }

    /// Opens a library, makes it where there is none, and brings its schema up to date.
    ///
    /// - Throws: `PipelineError`.
    public init(
        path: String, _ options: Options = Options(), clock: any PipelineClock = SystemClock()
    ) throws(PipelineError) {
        self.path = path
        self.clock = clock
        matrix = MatrixKeeper(libraryPath: path)
        owner = .current()
        if !options.creates || options.isReadOnly, !FileManager.default.fileExists(atPath: path) {
            throw .libraryNotFound(path: path)
        }
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory),
            isDirectory.boolValue
        {
            throw .cannotOpen(path: path, reason: "it is a directory")
        }
        busyLimit = BusyLimit(options.busyTimeout)
        do {
            queue = try Self.open(path, options, busyLimit)
            try Self.checkContent(queue, path, options)
            if !options.isReadOnly { try Self.prepare(queue, path) }
            try queue.read { db in
                guard try !Migrations.migrator.hasBeenSuperseded(db) else {
                    throw PipelineError.newerSchema(path: path)
                }
                if options.isReadOnly, try !Migrations.migrator.hasCompletedMigrations(db) {
                    throw PipelineError.readOnly(path: path)
                }
            }
            if !options.isReadOnly { try Self.migrate(queue) }
        } catch {
            throw PipelineError(error, path: path)
        }
        heartbeat = Heartbeat(interval: options.leaseDuration / 4)
        leaseDuration = options.leaseDuration
        if !options.isReadOnly {
            heartbeat.start { [weak self] in self?.renewLeases() ?? false }
        }
    }

    deinit { heartbeat.stop() }

    private static func open(
        _ path: String, _ options: Options, _ busyLimit: BusyLimit
    ) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = options.isReadOnly
        // SQLite's own waits grow to 100 ms: who writes time and again would keep others out.
        let isStopRequested = options.isStopRequested
        configuration.busyMode = .callback { count in
            guard busyLimit.allows(tryCount: count), !isStopRequested() else { return false }
            Pause.wait(.microseconds(Int.random(in: 1000...3000)))
            return true
        }
        configuration.label = "library"
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            // Vectors are read in large scans; pages in memory are the system's to keep.
            try db.execute(sql: "PRAGMA cache_size = -16384")
            db.add(function: StoredVector.validityFunction)
        }
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// - Throws: `PipelineError.corrupt` when the file is no library.
    private static func checkContent(
        _ queue: DatabaseQueue, _ path: String, _ options: Options
    ) throws {
        try queue.read { db in
            if try db.tableExists("grdb_migrations") { return }
            let isEmpty = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") == 0
            if isEmpty, options.creates, !options.isReadOnly { return }
            let reason = isEmpty ? "it is empty" : "it is a database of another program"
            throw PipelineError.corrupt(path: path, reason: reason)
        }
    }

    /// Brings the schema up to date. Another process may be doing the same: then a step that was
    /// still missing is there when this one takes it.
    private static func migrate(_ queue: DatabaseQueue) throws {
        let migrator = Migrations.migrator
        for attempt in 1... {
            if try queue.read(migrator.hasCompletedMigrations) { return }
            do { try migrator.migrate(queue) } catch  where attempt < 20 {
                Pause.wait(.milliseconds(50))
            }
        }
    }

    private static func prepare(_ queue: DatabaseQueue, _ path: String) throws {
        try queue.writeWithoutTransaction { db in
            let version = try String.fetchOne(db, sql: "SELECT sqlite_version()") ?? ""
            let wanted = JournalMode.safe(forLibrary: version)
            let current = try String.fetchOne(db, sql: "PRAGMA journal_mode")
            guard current != wanted.rawValue else { return }
            let actual = try String.fetchOne(
                db, sql: "PRAGMA journal_mode = \(wanted.rawValue)")
            guard actual == wanted.rawValue else { throw PipelineError.busy(path: path) }
        }
    }

    /// Runs one transaction.
    package func write<Result>(
        _ body: (Database) throws -> Result
    ) throws(PipelineError) -> Result {
        do { return try queue.write(body) } catch { throw PipelineError(error, path: path) }
    }

    /// Runs a transaction that is not worth a long wait for others.
    func writeBriefly(_ body: (Database) throws -> Void) throws(PipelineError) {
        do {
            try queue.writeWithoutTransaction { db in
                try busyLimit.withBriefLimit {
                    try db.inTransaction {
                        try body(db)
                        return .commit
                    }
                }
            }
        } catch {
            throw PipelineError(error, path: path)
        }
    }

    /// Runs reads that see one state.
    package func read<Result>(
        _ body: (Database) throws -> Result
    ) throws(PipelineError) -> Result {
        do { return try queue.read(body) } catch { throw PipelineError(error, path: path) }
    }

    /// When a lease that is taken or renewed now ends.
    var leaseEnd: Date { clock.now.addingTimeInterval(leaseDuration.seconds) }

    /// - Returns: whether to go on.
    private func renewLeases() -> Bool {
        do {
            try writeBriefly { db in
                let arguments: StatementArguments = [leaseEnd, owner.description]
                try db.execute(
                    sql: "UPDATE claims SET expires_at = ? WHERE owner = ?", arguments: arguments)
                try db.execute(
                    sql: """
                        UPDATE tasks SET lease_expires_at = ?
                        WHERE state = 'running' AND lease_owner = ?
                        """, arguments: arguments)
            }
        } catch {
            // Tried again at the next beat; the lease lasts for three more.
        }
        return true
    }
}

extension StoredVector {
    /// `is_vector(blob, dimension, is_unit)`: whether a vector can be searched.
    static var validityFunction: DatabaseFunction {
        DatabaseFunction("is_vector", argumentCount: 3, pure: true) { values in
            guard let data = Data.fromDatabaseValue(values[0]) else { return false }
            return isValid(
                data, dimension: Int.fromDatabaseValue(values[1]),
                isUnit: Bool.fromDatabaseValue(values[2]) ?? true)
        }
    }
}
