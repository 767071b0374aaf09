import GRDB

/// The chunks of a selection in the order of the work: material by material; last, those that were
/// in work when a process ended.
struct ChunkSupply {
    private let selection: ChunkSelection
    private let model: ModelIdentity
    /// Chunks that have failed in this run.
    private let excluded: Set<Int64>
    private var materials: ArraySlice<Int64>
    private var ready: ArraySlice<Int64> = []
    /// The least suspicious last.
    private var suspects: [Suspect] = []
    private var isSorted = false

    init(
        _ db: Database, _ selection: ChunkSelection, _ model: ModelIdentity,
        excluding excluded: Set<Int64>
    ) throws {
        self.selection = selection
        self.model = model
        self.excluded = excluded
        let (scope, scopeArguments) = Library.scope(selection.target)
        let sql = """
            SELECT DISTINCT material_id FROM content_chunks
            WHERE \(scope) AND \(selection.condition) ORDER BY material_id
            """
        let arguments = scopeArguments + StatementArguments(ChunkSelection.arguments(model))
        materials = try Int64.fetchAll(db, sql: sql, arguments: arguments)[...]
    }

    /// The next chunk that nothing is known against; nil when only suspects are left.
    mutating func next(_ db: Database) throws -> Int64? {
        while ready.isEmpty {
            guard let material = materials.popFirst() else { return nil }
            try load(db, material)
        }
        return ready.popFirst()
    }

    private mutating func load(_ db: Database, _ material: Int64) throws {
        var arguments = ChunkSelection.arguments(model)
        arguments["material"] = material
        var scope = ""
        if case .chunk(let id) = selection.target {
            scope = "AND id = :chunk"
            arguments["chunk"] = id
        }
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT id, interruptions, lone_interruptions FROM content_chunks
                WHERE material_id = :material AND claim_id IS NULL \(scope)
                    AND \(selection.condition)
                ORDER BY ordinal
                """, arguments: StatementArguments(arguments))
        var clean: [Int64] = []
        while let row = try rows.next() {
            let id: Int64 = try row.value("id")
            let interruptions: Int = try row.value("interruptions")
            if excluded.contains(id) { continue }
            if interruptions == 0 {
                clean.append(id)
            } else {
                suspects.append(
                    Suspect(
                        id: id, interruptions: interruptions,
                        loneInterruptions: try row.value("lone_interruptions")))
            }
        }
        ready = clean[...]
    }

    private struct Suspect {
        var id: Int64
        var interruptions: Int
        var loneInterruptions: Int
        var rank: (Int, Int, Int64) { (loneInterruptions, interruptions, id) }
    }

    /// The next suspects that go together: so many that the next interruption tells more.
    mutating func nextSuspects(batchSize: Int) -> [Int64] {
        if !isSorted {
            suspects.sort { $0.rank > $1.rank }
            isSorted = true
        }
        guard let first = suspects.last else { return [] }
        let size = PoisonPolicy.groupSize(
            batchSize: batchSize, interruptions: first.interruptions)
        var group: [Int64] = []
        while group.count < size, let next = suspects.last,
            next.interruptions == first.interruptions,
            next.loneInterruptions == first.loneInterruptions
        {
            group.append(next.id)
            suspects.removeLast()
        }
        return group
    }
}
