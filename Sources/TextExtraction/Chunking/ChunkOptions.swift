/// How text is cut.
public struct ChunkOptions: Sendable, Equatable {
    /// Tokens of a chunk at most, special tokens and context included; nil: the model's window.
    public var tokenCount: Int?
    /// Tokens of the chunk before that a chunk begins with once more, at most.
    public var overlapTokenCount: Int
    /// What stands before the text that is embedded; nil: nothing.
    public var context: ContextTemplate?

    public init(
        tokenCount: Int? = nil, overlapTokenCount: Int = 0, context: ContextTemplate? = nil
    ) {
        self.tokenCount = tokenCount
        self.overlapTokenCount = overlapTokenCount
        self.context = context
    }

    /// The model's whole window, nothing shared, nothing put before: the best of those that
    /// tools/benchmarks/retrieval.py compared (README, "How it compares").
    public static let standard = ChunkOptions()
}

/// What stands before a chunk's text when it is embedded: where it comes from, in words.
public struct ContextTemplate: Sendable, Equatable {
    /// With `{title}` and `{headings}`, which stand for the document's title and the headings above
    /// the chunk.
    public let pattern: String

    public init(_ pattern: String) { self.pattern = pattern }

    public static let standard = ContextTemplate("{title} > {headings}")

    /// The context of a chunk, a line; empty where nothing is known.
    func text(title: String?, headings: some Collection<String>) -> String {
        let title = title.flatMap { headings.contains($0) ? nil : $0 } ?? ""
        if title.isEmpty, headings.isEmpty { return "" }
        let filled = pattern.split(separator: "{title}", omittingEmptySubsequences: false)
            .map {
                $0.split(separator: "{headings}", omittingEmptySubsequences: false)
                    .joined(separator: headings.joined(separator: " > "))
            }
            .joined(separator: title)
        // A separator beside nothing goes.
        let line = filled.onOneLine.trimmingPrefix { " >:|-".contains($0) }
        let end = line.lastIndex { !" >|-".contains($0) }
        return end.map { line[...$0] + "\n" }.map(String.init) ?? ""
    }
}
