import CGMime
import CLibArchive
import CLibCSV
import CLibXML2
import CMagic
import CUchardet

/// The libraries that documents are read with. Each is loaded by the first file that needs it.
enum Libraries {
    static let archive = Library(
        archive_functions(), archive_functions_load, "libarchive", package: "libarchive13")
    static let csv = Library(csv_functions(), csv_functions_load, "libcsv", package: "libcsv3")
    static let gmime = Library(
        gmime_functions(), gmime_functions_load, "GMime", package: "libgmime-3.0-0")
    static let magic = Library(
        magic_functions(), magic_functions_load, "libmagic", package: "libmagic1")
    static let uchardet = Library(
        uchardet_functions(), uchardet_functions_load, "uchardet", package: "libuchardet0")
    static let xml = Library(xml_functions(), xml_functions_load, "libxml2", package: "libxml2")
}

/// A library's functions, if it is installed.
// Sendable: pointers to functions, immutable after init.
struct Library<Functions>: @unchecked Sendable {
    let functions: Functions?
    private let name: String
    private let package: String

    init(
        _ empty: Functions, _ load: (UnsafeMutablePointer<Functions>) -> Bool, _ name: String,
        package: String
    ) {
        var functions = empty
        self.functions = load(&functions) ? functions : nil
        self.name = name
        self.package = package
    }

    /// - Throws: `missingTool`.
    func loaded() throws(ExtractionError) -> Functions {
        guard let functions else { throw .missingTool(tool: name, package: package) }
        return functions
    }
}
