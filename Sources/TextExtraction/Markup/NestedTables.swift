/// Tables as markup tells them, cell by cell. One may stand in a cell of another, whose text it then
/// is part of.
struct NestedTables {
    private var tables: [(rows: [[String]], cell: [String])] = []

    /// Whether there is no table that has begun and not ended.
    var isEmpty: Bool { tables.isEmpty }

    mutating func begin() { tables.append(([], [])) }

    mutating func beginRow() {
        guard !tables.isEmpty else { return }
        tables[tables.count - 1].rows.append([])
    }

    mutating func beginCell() {
        guard !tables.isEmpty else { return }
        tables[tables.count - 1].cell = []
    }

    /// Adds a paragraph to the cell.
    mutating func append(_ text: String) {
        guard !tables.isEmpty, !text.trimmed.isEmpty else { return }
        tables[tables.count - 1].cell.append(text)
    }

    mutating func endCell() {
        guard let table = tables.last, !table.rows.isEmpty else { return }
        let text = table.cell.joined(separator: " ")
        tables[tables.count - 1].rows[table.rows.count - 1].append(text)
        tables[tables.count - 1].cell = []
    }

    /// Ends a table.
    ///
    /// - Returns: its rows; nil for one that stands in another.
    mutating func end() -> [[String]]? {
        guard let rows = tables.popLast()?.rows else { return nil }
        if tables.isEmpty { return rows }
        for row in rows { append(row.joined(separator: " ")) }
        return nil
    }
}
