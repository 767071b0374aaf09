import GRDB

extension Row {
    /// A column's value. Another program, or damage, may have put there what cannot be: that is an
    /// error, and no reason to crash.
    ///
    /// - Throws: `RowDecodingError`.
    func value<Value: DatabaseValueConvertible>(_ column: String) throws -> Value {
        try decode(Value.self, forColumn: column)
    }
}
