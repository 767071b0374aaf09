/// Gets the text out of files.
///
/// Each media type has its extractor in the folder Extractors; a new one is a new file there and a
/// case here. Libraries and programs that are made for a format read it: libxml2, libarchive,
/// poppler's pdftotext, unrtf, libcsv, GMime, uchardet.
public struct TextExtractor: Sendable {
    public var limits: ExtractionLimits

    public init(limits: ExtractionLimits = ExtractionLimits()) { self.limits = limits }

    /// A program that a type needs and that is not installed.
    public struct MissingTool: Sendable, Equatable {
        public var tool: String
        /// The Debian package that has it.
        public var package: String
        /// What cannot be read without it.
        public var mediaType: MediaType
    }

    /// The programs that are missing on this machine. Files of other types are read all the same. Whether a
    /// library is missing shows when it is needed.
    public static var missingTools: [MissingTool] {
        [(PDFExtractor.tool, MediaType.pdf), (RTFExtractor.tool, .rtf)].compactMap { tool, type in
            ToolProcess.find(tool.tool) == nil
                ? MissingTool(tool: tool.tool, package: tool.package, mediaType: type) : nil
        }
    }

    /// The text of a file. Blocks while the file is read; never on a FIFO.
    ///
    /// - Parameter path: a regular file, or a symbolic link to one.
    /// - Throws: `ExtractionError`.
    public func extract(path: String) throws(ExtractionError) -> ExtractedText {
        let file = try SourceFile(path: path, maximumByteCount: limits.fileByteCount)
        return try extract(file, name: path)
    }

    /// What a file is; little of it is read.
    ///
    /// - Throws: `ExtractionError`: what no text can be taken from.
    package func mediaType(
        of file: SourceFile, name: String
    ) throws(ExtractionError) -> MediaType {
        let type = try MediaTypeDetection.mediaType(of: file, name: name, limits, limits.begin())
        if type == .zip || type == .xlsx { throw .unsupported(type) }
        return type
    }

    /// The text of a file that is open.
    ///
    /// - Parameter name: the file's name or path; where the content does not tell its type, this does.
    package func extract(
        _ file: SourceFile, name: String
    ) throws(ExtractionError) -> ExtractedText {
        let extracted = try extract(file, name: name, limits.begin(), depth: 0)
        try file.checkUnchanged()
        return extracted
    }

    /// - Parameter depth: of files within files.
    func extract(
        _ file: SourceFile, name: String, _ deadline: Deadline, depth: Int
    ) throws(ExtractionError) -> ExtractedText {
        guard file.byteCount > 0 else { throw .empty }
        let type = try MediaTypeDetection.mediaType(of: file, name: name, limits, deadline)
        let extracted: ExtractedText
        switch type {
        case .pdf: extracted = try PDFExtractor.extract(file, limits, deadline)
        case .rtf: extracted = try RTFExtractor.extract(file, limits, deadline)
        case .docx, .pptx, .odt, .odp, .epub:
            extracted = try Self.extractPacked(file, type, limits, deadline)
        case .zip, .xlsx: throw .unsupported(type)
        case .email:
            extracted = try EmailExtractor.extract(file, self, deadline, depth: depth)
        case .html:
            let bytes = try file.read(maximumByteCount: limits.textByteCount)
            extracted = try HTMLExtractor.extract(bytes, limits, deadline)
        default:
            let bytes = try file.read(maximumByteCount: limits.textByteCount)
            extracted = try Self.extractText(bytes, type, limits, deadline)
        }
        guard extracted.text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw type == .plainText || type == .sourceCode ? .empty : .noText(type)
        }
        return extracted
    }

    private static func extractPacked(
        _ file: SourceFile, _ type: MediaType, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        let archive = try Archive(file, type, limits, deadline) { name in
            let suffix = MediaType.pathExtension(name)
            return ["xml", "rels", "opf", "ncx", "xhtml", "html", "htm"].contains(suffix)
                && !name.hasPrefix("docProps/custom")
        }
        switch type {
        case .docx: return try WordExtractor.extract(archive, limits, deadline)
        case .pptx: return try PresentationExtractor.extract(archive, limits, deadline)
        case .epub: return try EPUBExtractor.extract(archive, limits, deadline)
        default: return try OpenDocumentExtractor.extract(archive, type, limits, deadline)
        }
    }

    private static func extractText(
        _ bytes: [UInt8], _ type: MediaType, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        let decoded = try TextDecoder.decode(bytes)
        switch type {
        case .csv, .tsv:
            return try DelimitedTextExtractor.extract(decoded.text, type, limits, deadline)
        case .json, .jsonLines:
            return try JSONExtractor.extract(decoded.text, type, limits, deadline)
        case .subRip, .webVTT:
            return try SubtitleExtractor.extract(decoded.text, type, limits, deadline)
        default:
            return ExtractedText(decoded.text, mediaType: type, sourceMap: decoded.sourceMap)
        }
    }
}
