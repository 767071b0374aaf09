/// A media type (RFC 6838), such as `text/markdown`: what decides how a file becomes text.
public struct MediaType: RawRepresentable, Hashable, Sendable {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    public static let plainText = MediaType(rawValue: "text/plain")
    public static let markdown = MediaType(rawValue: "text/markdown")
    public static let html = MediaType(rawValue: "text/html")
    public static let pdf = MediaType(rawValue: "application/pdf")
    public static let zip = MediaType(rawValue: "application/zip")
    public static let docx = MediaType(
        rawValue: "application/vnd.openxmlformats-officedocument.wordprocessingml.document")

    /// The type of a file by its first bytes and its name.
    ///
    /// What the bytes say for certain counts first: a PDF is one under any name. Then the name's
    /// extension, in any case; then a look for HTML. All else is plain text, until decoding it
    /// proves otherwise.
    ///
    /// - Parameters:
    ///   - start: the first bytes of the file; 64 are enough.
    ///   - name: the file's name or path.
    public init(detecting start: some Collection<UInt8>, name: String) {
        let suffix = Self.pathExtension(name)
        if start.starts(with: "%PDF-".utf8) {
            self = .pdf
        } else if start.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
            // An office document is a ZIP archive.
            self = suffix == "docx" ? .docx : .zip
        } else if let named = Self.byExtension[suffix] {
            self = named
        } else {
            self = Self.looksLikeHTML(start) ? .html : .plainText
        }
    }

    private static let byExtension: [String: MediaType] = [
        "txt": .plainText, "text": .plainText,
        "md": .markdown, "markdown": .markdown, "mkd": .markdown, "mdown": .markdown,
        "html": .html, "htm": .html, "xhtml": .html, "pdf": .pdf, "docx": .docx, "zip": .zip,
    ]

    /// What follows the last dot of the last path component, in lower case; "" for none.
    private static func pathExtension(_ name: String) -> String {
        let component = name.split(separator: "/").last ?? ""
        guard let dot = component.lastIndex(of: "."), dot != component.startIndex else { return "" }
        return component[component.index(after: dot)...].lowercased()
    }

    private static func looksLikeHTML(_ start: some Collection<UInt8>) -> Bool {
        let visible = start.drop { $0 <= 0x20 || $0 == 0xEF || $0 == 0xBB || $0 == 0xBF }
        let lowered = visible.prefix(14).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        return lowered.starts(with: "<!doctype html".utf8) || lowered.starts(with: "<html".utf8)
    }
}
