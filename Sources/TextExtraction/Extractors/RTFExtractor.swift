/// RTF, by unrtf, which makes a web page of it.
enum RTFExtractor {
    static let tool = ToolProcess(
        tool: "unrtf", package: "unrtf", arguments: ["--html", "--nopict", "--quiet"])

    static func extract(
        _ file: SourceFile, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        let output = try tool.run(
            file, limits, deadline, maximumByteCount: limits.textByteCount)
        guard output.status == 0 else {
            throw .damaged(.rtf, reason: "unrtf exits with \(output.status)")
        }
        let reader = HTMLReader(breaksParagraphs: true)
        let utf8 = try HTMLExtractor.utf8(output.bytes)
        try MarkupParser.parse(html: utf8, reader, deadline)
        var builder = DocumentBuilder(maximumByteCount: limits.textByteCount)
        // Its lines are not the file's.
        try reader.write(into: &builder, hasLines: false)
        return builder.extractedText(.rtf)
    }
}
