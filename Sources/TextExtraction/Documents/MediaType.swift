/// A media type (RFC 6838), such as `text/markdown`: what decides how a file becomes text.
public struct MediaType: RawRepresentable, Hashable, Sendable {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    public static let plainText = MediaType(rawValue: "text/plain")
    public static let markdown = MediaType(rawValue: "text/markdown")
    public static let html = MediaType(rawValue: "text/html")
    public static let sourceCode = MediaType(rawValue: "text/x-source")
    public static let csv = MediaType(rawValue: "text/csv")
    public static let tsv = MediaType(rawValue: "text/tab-separated-values")
    public static let json = MediaType(rawValue: "application/json")
    public static let jsonLines = MediaType(rawValue: "application/jsonl")
    public static let email = MediaType(rawValue: "message/rfc822")
    public static let subRip = MediaType(rawValue: "application/x-subrip")
    public static let webVTT = MediaType(rawValue: "text/vtt")
    public static let rtf = MediaType(rawValue: "application/rtf")
    public static let pdf = MediaType(rawValue: "application/pdf")
    public static let epub = MediaType(rawValue: "application/epub+zip")
    public static let zip = MediaType(rawValue: "application/zip")
    public static let docx = MediaType(
        rawValue: "application/vnd.openxmlformats-officedocument.wordprocessingml.document")
    public static let pptx = MediaType(
        rawValue: "application/vnd.openxmlformats-officedocument.presentationml.presentation")
    public static let xlsx = MediaType(
        rawValue: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    public static let odt = MediaType(rawValue: "application/vnd.oasis.opendocument.text")
    public static let odp = MediaType(rawValue: "application/vnd.oasis.opendocument.presentation")

    /// The type that a file's name tells; nil where it tells none that text is taken from.
    init?(named name: String) {
        guard let type = Self.byExtension[Self.pathExtension(name)] else { return nil }
        self = type
    }

    /// How people call it.
    public var name: String { Self.names[self] ?? rawValue }

    /// Whether it is an archive or another format that is no text itself.
    var isContainer: Bool {
        switch self {
        case .pdf, .epub, .docx, .pptx, .odt, .odp, .xlsx, .zip: true
        default: false
        }
    }

    private static let names: [MediaType: String] = [
        .pdf: "PDF", .epub: "EPUB", .docx: "DOCX", .pptx: "PPTX", .odt: "ODT", .odp: "ODP",
        .rtf: "RTF", .csv: "CSV", .tsv: "TSV", .json: "JSON", .jsonLines: "JSON lines",
        .html: "HTML", .email: "e-mail", .zip: "ZIP archive", .subRip: "SubRip", .webVTT: "WebVTT",
    ]

    private static let byExtension: [String: MediaType] = {
        var types: [String: MediaType] = [
            "txt": .plainText, "text": .plainText, "log": .plainText, "rst": .plainText,
            "md": .markdown, "markdown": .markdown, "mkd": .markdown, "mdown": .markdown,
            "html": .html, "htm": .html, "xhtml": .html, "csv": .csv, "tsv": .tsv, "tab": .tsv,
            "json": .json, "geojson": .json, "jsonl": .jsonLines, "ndjson": .jsonLines,
            "eml": .email, "srt": .subRip, "vtt": .webVTT, "rtf": .rtf, "pdf": .pdf,
            "epub": .epub, "docx": .docx, "pptx": .pptx, "odt": .odt, "odp": .odp,
        ]
        let code =
            "ada asm bash bat c cc clj cmake cpp cs css cxx d dart el erl ex f90 fs go gradle groovy"
            + " h hh hpp hs hxx ini java jl js jsx kt kts less lisp lua m mk ml mm nim pas php pl pm"
            + " proto ps1 py r rb rs s sass scala scm scss sh sql swift tcl toml ts tsx v vb vhd vim"
            + " xsl yaml yml zig zsh"
        for name in code.split(separator: " ") { types[String(name)] = .sourceCode }
        return types
    }()

    /// What follows the last dot of the last path component, in lower case; "" for none.
    static func pathExtension(_ name: String) -> String {
        let component = name.split(separator: "/").last ?? ""
        guard let dot = component.lastIndex(of: "."), dot != component.startIndex else { return "" }
        return component[component.index(after: dot)...].lowercased()
    }
}
