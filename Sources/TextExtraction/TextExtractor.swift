/// Gets the text out of files.
///
/// Each media type has its extractor in the folder Extractors; a new one is a new file there and a
/// case here.
public struct TextExtractor: Sendable {
    /// Files of more bytes than this are refused.
    public let maximumByteCount: Int

    public init(maximumByteCount: Int = 256 << 20) {
        precondition(maximumByteCount > 0, "no file would be accepted")
        self.maximumByteCount = maximumByteCount
    }

    /// The text of a file. Blocks while the file is read; never on a FIFO.
    ///
    /// - Parameter path: a regular file, or a symbolic link to one.
    /// - Throws: `ExtractionError`.
    public func extract(path: String) throws(ExtractionError) -> ExtractedText {
        let file = try SourceFile(path: path, maximumByteCount: maximumByteCount)
        let bytes = try file.read()
        let mediaType = MediaType(detecting: bytes.prefix(64), name: path)
        let extracted: ExtractedText
        switch mediaType {
        case .plainText, .markdown:
            extracted = try PlainTextExtractor.extract(bytes, mediaType: mediaType)
        default: throw .unsupported(mediaType)
        }
        guard extracted.text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw .empty
        }
        return extracted
    }
}
