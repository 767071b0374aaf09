import CLibXML2

/// EPUB 2 and 3: the files of the spine in its order, each a chapter.
enum EPUBExtractor {
    static func extract(
        _ archive: Archive, _ limits: ExtractionLimits, _ deadline: Deadline
    ) throws(ExtractionError) -> ExtractedText {
        guard let container = archive["META-INF/container.xml"] else {
            throw .damaged(.epub, reason: "META-INF/container.xml is not there")
        }
        let root = RootReader()
        _ = try MarkupParser.parse(xml: container, root, deadline)
        guard let path = root.path, let package = archive[path] else {
            throw .damaged(.epub, reason: "its package document is not there")
        }
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        let book = PackageReader(folder)
        guard try MarkupParser.parse(xml: package, book, deadline) else {
            throw .damaged(.epub, reason: "its package document is not well-formed XML")
        }
        let locked = try EncryptionReader.files(in: archive, deadline)
        var builder = DocumentBuilder(maximumByteCount: limits.textByteCount)
        builder.title = String(decoding: book.title, as: UTF8.self)
        var chapterCount = 0
        for id in book.spine {
            guard let file = book.files[id] else { continue }
            if locked.contains(file) { throw .encrypted }
            guard let bytes = archive[file] else { continue }
            chapterCount += 1
            guard chapterCount <= limits.pageCount else {
                throw .tooManyPages(limit: limits.pageCount)
            }
            let reader = try chapter(bytes, deadline)
            builder.begin(.part, named: file)
            builder.begin(.chapter, named: reader.heading ?? "chapter \(chapterCount)")
            try reader.write(into: &builder, hasLines: false)
        }
        guard chapterCount > 0 else {
            throw .damaged(.epub, reason: "no file of its spine is there")
        }
        return builder.extractedText(.epub)
    }

    /// A chapter as XML; where it is none, as a web page, which forgives.
    private static func chapter(
        _ bytes: [UInt8], _ deadline: Deadline
    ) throws(ExtractionError) -> HTMLReader {
        let strict = HTMLReader()
        if try MarkupParser.parse(xml: bytes, strict, deadline) { return strict }
        let lenient = HTMLReader()
        try MarkupParser.parse(html: HTMLExtractor.utf8(bytes), lenient, deadline)
        return lenient
    }

    private final class RootReader: MarkupHandler {
        var path: String?
        override func start(_ name: String, _ attributes: MarkupAttributes) {
            if name == "rootfile", path == nil { path = attributes["full-path"] }
        }
    }

    private final class PackageReader: MarkupHandler {
        var files: [String: String] = [:]
        var spine: [String] = []
        var title: [UInt8] = []
        private let folder: String
        private var isInTitle = false

        init(_ folder: String) { self.folder = folder }

        override func start(_ name: String, _ attributes: MarkupAttributes) {
            switch name {
            case "item":
                guard let id = attributes["id"], let href = attributes["href"] else { return }
                let path = href.removingPercentEncoding
                files[id] = PackageRelations.resolve(path, from: folder)
            case "itemref": if let id = attributes["idref"] { spine.append(id) }
            case "title": isInTitle = title.isEmpty
            default: break
            }
        }
        override func end(_ name: String) { if name == "title" { isInTitle = false } }
        override func text(_ text: UnsafeBufferPointer<UInt8>) { if isInTitle { title += text } }
    }

    /// Files that a vendor's key is needed for. Fonts that are only disguised do not matter here.
    private final class EncryptionReader: MarkupHandler {
        private var files: Set<String> = []

        static func files(
            in archive: Archive, _ deadline: Deadline
        ) throws(ExtractionError) -> Set<String> {
            guard let bytes = archive["META-INF/encryption.xml"] else { return [] }
            let reader = EncryptionReader()
            _ = try MarkupParser.parse(xml: bytes, reader, deadline)
            return reader.files
        }

        override func start(_ name: String, _ attributes: MarkupAttributes) {
            if name == "CipherReference", let file = attributes["URI"] {
                files.insert(file.removingPercentEncoding)
            }
        }
    }
}

extension String {
    /// With `%20` and the like as what they stand for (RFC 3986), by libxml2.
    fileprivate var removingPercentEncoding: String {
        guard let xml = Libraries.xml.installed(),
            let unescaped = xml.xmlURIUnescapeString(self, 0, nil)
        else { return self }
        defer { xml.xmlFree.pointee?(unescaped) }
        return String(cString: unescaped)
    }
}
