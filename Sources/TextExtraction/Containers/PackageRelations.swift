/// The relations between the parts of an office document (ECMA-376, part 2): which file is meant
/// by an id, or by what it is to the document.
struct PackageRelations {
    private var targets: [String: String] = [:]
    private var byType: [(type: String, target: String)] = []

    /// The relations of a part; none where the archive has no such file.
    ///
    /// - Parameter part: the name of the part; "" for the package itself.
    init(
        of part: String, in archive: Archive, _ deadline: Deadline
    ) throws(ExtractionError) {
        let slash = part.lastIndex(of: "/")
        let folder = slash.map { String(part[..<$0]) } ?? ""
        let name = slash.map { String(part[part.index(after: $0)...]) } ?? part
        let file = (folder.isEmpty ? "" : folder + "/") + "_rels/\(name).rels"
        guard let bytes = archive[file] else { return }
        let reader = Reader(folder)
        _ = try MarkupParser.parse(xml: bytes, reader, deadline)
        targets = reader.targets
        byType = reader.byType
    }

    /// The part with an id.
    subscript(id: String) -> String? { targets[id] }

    /// The first part whose relation's type ends with a word, such as `officeDocument`.
    func first(_ type: String) -> String? { byType.first { $0.type.hasSuffix("/" + type) }?.target }

    private final class Reader: MarkupHandler {
        let folder: String
        var targets: [String: String] = [:]
        var byType: [(type: String, target: String)] = []

        init(_ folder: String) { self.folder = folder }

        override func start(_ name: String, _ attributes: MarkupAttributes) {
            guard name == "Relationship", attributes["TargetMode"] != "External",
                let target = attributes["Target"]
            else { return }
            let path = PackageRelations.resolve(target, from: folder)
            if let id = attributes["Id"] { targets[id] = path }
            if let type = attributes["Type"] { byType.append((type, path)) }
        }
    }

    /// The name in the archive that a path means, seen from a folder of the archive.
    static func resolve(_ path: String, from folder: String) -> String {
        var parts = path.hasPrefix("/") ? [] : folder.split(separator: "/").map(String.init)
        for part in path.split(separator: "/") {
            switch part {
            case ".": break
            case "..": _ = parts.popLast()
            default: parts.append(String(part))
            }
        }
        return parts.joined(separator: "/")
    }
}
