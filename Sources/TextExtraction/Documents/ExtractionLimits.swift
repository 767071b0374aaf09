/// How much a file may take, so that a hostile one ends soon and the rest goes on.
public struct ExtractionLimits: Sendable {
    /// Bytes of a file that is read whole: text, markup, messages.
    public var textByteCount = 64 << 20
    /// Bytes of any other file.
    public var fileByteCount = 1 << 30
    /// Bytes of what is unpacked from an archive, all together.
    public var unpackedByteCount = 128 << 20
    /// Files in an archive.
    public var archiveEntryCount = 20_000
    /// Pages, slides or other parts.
    public var pageCount = 100_000
    /// Address space of a tool's process.
    public var toolByteCount = 320 << 20
    /// How long a file may take.
    public var duration = Duration.seconds(60)
    /// Ends an extraction early; it throws `stopped` then.
    public var isStopRequested: @Sendable () -> Bool = { false }

    public init() {}

    /// What of it is left to an extraction that begins now.
    func begin() -> Deadline {
        Deadline(end: .now + duration, limit: duration, isStopRequested: isStopRequested)
    }
}

/// When an extraction is to end.
struct Deadline: Sendable {
    let end: ContinuousClock.Instant
    let limit: Duration
    let isStopRequested: @Sendable () -> Bool

    /// - Throws: `tookTooLong`, `stopped`.
    func check() throws(ExtractionError) {
        if isStopRequested() { throw .stopped }
        if .now >= end { throw .tookTooLong(seconds: Int(limit.components.seconds)) }
    }
}
