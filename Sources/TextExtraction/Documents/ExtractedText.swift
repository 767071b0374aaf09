/// The text of a file, and where in the file each part of it stood.
public struct ExtractedText: Sendable {
    /// Valid Unicode without a byte order mark, line ends as they are in the file.
    public let text: String
    public let mediaType: MediaType
    /// What the document calls itself.
    public let title: String?
    /// How the text is divided where the file says it; nil where the text itself shows it.
    let blocks: [TextBlock]?
    let marks: PlaceMarks
    /// Nil where the text does not stand in the file as such.
    private let sourceMap: SourceMap?

    /// Text that is its own source: byte ranges are those of its UTF-8.
    public init(_ text: String, mediaType: MediaType = .plainText) {
        self.init(text, mediaType: mediaType, sourceMap: SourceMap(.utf8, sourceStart: 0))
    }

    init(
        _ text: String, mediaType: MediaType, sourceMap: SourceMap?, title: String? = nil,
        blocks: [TextBlock]? = nil, marks: PlaceMarks = PlaceMarks()
    ) {
        var text = text
        text.makeContiguousUTF8()
        self.text = text
        self.mediaType = mediaType
        self.sourceMap = sourceMap
        self.title = title
        self.blocks = blocks
        self.marks = marks
    }

    /// Whether byte ranges and lines of the text are those of the file.
    var isItsOwnSource: Bool { sourceMap != nil }

    /// Where a part of the text stands in the file.
    ///
    /// - Parameter utf8Range: offsets in the UTF-8 of ``text``, at borders of scalars.
    /// - Returns: byte offsets in the file; nil where the text does not stand there as such.
    /// - Precondition: the range is within the text.
    public func byteRange(of utf8Range: Range<Int>) -> Range<Int>? {
        var text = text
        return text.withUTF8 { utf8 in
            precondition(0 <= utf8Range.lowerBound && utf8Range.upperBound <= utf8.count)
            return byteRange(of: utf8Range, in: utf8)
        }
    }

    /// The same, with the UTF-8 of ``text`` at hand.
    func byteRange(of utf8Range: Range<Int>, in utf8: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
        guard let sourceMap else { return nil }
        let start = sourceMap.sourceOffset(of: utf8Range.lowerBound, in: utf8)
        return start..<sourceMap.sourceOffset(of: utf8Range.upperBound, in: utf8)
    }
}
