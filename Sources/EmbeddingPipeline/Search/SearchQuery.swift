import GRDB

/// What is looked for, and where.
public struct SearchQuery: Sendable {
    /// How passages are ranked.
    public enum Mode: String, Sendable, CaseIterable {
        /// By the similarity of meaning: cosine of vectors.
        case vector
        /// By words: BM25.
        case keyword
        /// Both lists as one, by reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009).
        case hybrid
    }

    /// In a person's words.
    public var text: String
    public var mode: Mode
    /// `[D]`, of the text; keyword search needs none.
    public var vector: [Float]
    /// The model that made the vector.
    public var model: ModelIdentity?
    public var filter = SearchFilter()
    /// At most so many.
    public var count: Int

    public init(
        text: String, mode: Mode, vector: [Float] = [], model: ModelIdentity? = nil, count: Int
    ) {
        self.text = text
        self.mode = mode
        self.vector = vector
        self.model = model
        self.count = count
    }
}

/// Which materials are searched: those that meet all conditions; an empty list is no condition.
public struct SearchFilter: Sendable, Equatable {
    public var subjectIDs: [Int64] = []
    public var materialIDs: [Int64] = []
    /// Media types, or what their names begin with, such as `text/`.
    public var mediaTypes: [String] = []
    /// A pattern of source paths, as a shell's: `*`, `?`, `[…]`.
    public var pathPattern: String?

    public init() {}

    var isEmpty: Bool { self == SearchFilter() }

    /// A condition on `materials`, and what its placeholders stand for.
    var condition: (sql: String, arguments: StatementArguments) {
        var conditions: [String] = []
        var arguments = StatementArguments()
        func list(_ column: String, _ ids: [Int64]) {
            guard !ids.isEmpty else { return }
            let marks = Array(repeating: "?", count: ids.count).joined(separator: ", ")
            conditions.append("\(column) IN (\(marks))")
            arguments += StatementArguments(ids)
        }
        list("subject_id", subjectIDs)
        list("id", materialIDs)
        if !mediaTypes.isEmpty {
            let types = mediaTypes.map { _ in "substr(media_type, 1, length(?)) = ?" }
            conditions.append("(\(types.joined(separator: " OR ")))")
            arguments += StatementArguments(mediaTypes.flatMap { [$0, $0] })
        }
        if let pathPattern {
            conditions.append("source_path GLOB ?")
            arguments += [pathPattern]
        }
        return (conditions.isEmpty ? "TRUE" : conditions.joined(separator: " AND "), arguments)
    }
}
