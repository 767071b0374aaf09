/// How SQLite makes a transaction whole.
package enum JournalMode: String, Sendable {
    case wal
    case delete

    /// The mode for a version of the SQLite library.
    ///
    /// Before 3.51.3, a write-ahead log with several connections could lose commits
    /// (https://sqlite.org/wal.html); the rollback journal never did.
    ///
    /// - Parameters:
    ///   - version: as `sqlite_version()` gives it, such as `3.40.1`.
    package static func safe(forLibrary version: String) -> JournalMode {
        let numbers = version.split(separator: ".").map { Int($0) ?? 0 }
        return numbers.lexicographicallyPrecedes([3, 51, 3]) ? .delete : .wal
    }
}
