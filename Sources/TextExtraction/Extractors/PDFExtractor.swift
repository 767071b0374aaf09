/// PDF, by poppler's pdftotext, page by page in reading order.
enum PDFExtractor {
    static let tool = ToolProcess(
        tool: "pdftotext", package: "poppler-utils",
        arguments: ["-enc", "UTF-8", "-eol", "unix", "/dev/stdin", "-"])

    static func extract(
        _ file: SourceFile, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        let output = try tool.run(
            file, limits, deadline, maximumByteCount: limits.textByteCount)
        guard output.status == 0 else { throw failure(output) }
        // A form feed ends each page.
        let pages = output.bytes.split(separator: 0x0C, omittingEmptySubsequences: false)
        let pageCount = max(0, pages.count - 1)
        guard pageCount <= limits.pageCount else { throw .tooManyPages(limit: limits.pageCount) }
        guard pageCount > 0 else {
            throw .damaged(.pdf, reason: reason(output.complaints) ?? "it has no pages")
        }
        var builder = DocumentBuilder(maximumByteCount: limits.textByteCount)
        for (index, page) in pages.prefix(pageCount).enumerated() {
            builder.begin(.page, index + 1)
            for paragraph in paragraphs(page) { try builder.append(paragraph) }
        }
        guard builder.hasText else { throw .noTextLayer(pages: pageCount) }
        return builder.extractedText(.pdf)
    }

    /// What stands between empty lines.
    private static func paragraphs(_ page: ArraySlice<UInt8>) -> [String] {
        let lines = page.split(separator: 0x0A, omittingEmptySubsequences: false)
        let groups = lines.split { line in line.allSatisfy { $0 == 0x20 || $0 == 0x09 } }
        return groups.map { group in
            String(decoding: Array(group.joined(separator: [0x0A])), as: UTF8.self)
        }
    }

    private static func failure(_ output: ToolProcess.Output) -> ExtractionError {
        let complaints = output.complaints
        if complaints.contains("Incorrect password") || complaints.contains("ncrypt") {
            return .encrypted
        }
        // 3: the author does not allow to copy text.
        if output.status == 3 { return .encrypted }
        return .damaged(.pdf, reason: reason(complaints) ?? "pdftotext exits with \(output.status)")
    }

    /// The first complaint, without where it was met and what stood there.
    private static func reason(_ complaints: String) -> String? {
        guard let line = complaints.split(whereSeparator: \.isNewline).first else { return nil }
        let words = line.split(separator: ":", maxSplits: 1).last ?? line
        let quoted = words.firstRange(of: " '")?.lowerBound ?? words.endIndex
        let text = String(words[..<quoted].prefix { $0 != "\"" && $0 != "<" }).onOneLine
        return text.isEmpty ? nil : String(text.prefix(120))
    }
}
