/// Lines of text columns, the first to the left, the others to the right.
struct Table {
    private var rows: [[String]]
    /// Columns that stand to the left.
    private let leftColumns: Set<Int>

    init(_ header: [String], left: Set<Int> = [0]) {
        rows = [header]
        leftColumns = left
    }

    mutating func add(_ row: [String]) { rows.append(row.map(\.singleLine)) }

    func print() {
        let widths = rows[0].indices.map { column in
            rows.map { $0[column].count }.max() ?? 0
        }
        for row in rows {
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += leftColumns.contains(column) ? cell + padding : padding + cell
                if column < row.count - 1 { line += "  " }
            }
            while line.last == " " { line.removeLast() }
            Swift.print(line)
        }
    }
}
