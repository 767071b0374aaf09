import CGMime
import CLibArchive
import CLibCSV
import CLibXML2
import CMagic
import CUchardet
import Synchronization

/// The libraries that documents are read with. Each is loaded by the first file that needs it.
enum Libraries {
    static let archive = Library(archive_functions_load, "libarchive", package: "libarchive13")
    static let csv = Library(csv_functions_load, "libcsv", package: "libcsv3")
    static let gmime = Library(gmime_functions_load, "GMime", package: "libgmime-3.0-0")
    static let magic = Library(magic_functions_load, "libmagic", package: "libmagic1")
    static let uchardet = Library(uchardet_functions_load, "uchardet", package: "libuchardet0")
    static let xml = Library(xml_functions_load, "libxml2", package: "libxml2")
}

/// A library's functions, if it is installed.
final class Library<Functions: BitwiseCopyable>: Sendable {
    private let functions: Mutex<Functions?>
    private let load: @Sendable (UnsafeMutablePointer<Functions>) -> Bool
    private let name: String
    private let package: String

    init(
        _ load: @escaping @Sendable (UnsafeMutablePointer<Functions>) -> Bool, _ name: String,
        package: String
    ) {
        functions = Mutex(nil)
        self.load = load
        self.name = name
        self.package = package
    }

    /// Loads the library where that is still to be done. One that is not there is looked for again the
    /// next time.
    ///
    /// - Throws: `missingTool`.
    func loaded() throws(ExtractionError) -> Functions {
        guard let functions = installed() else {
            throw .missingTool(tool: name, package: package)
        }
        return functions
    }

    /// The same; nil where it is not installed.
    func installed() -> Functions? {
        functions.withLock { functions in
            if let functions { return functions }
            let pointer = UnsafeMutablePointer<Functions>.allocate(capacity: 1)
            defer { pointer.deallocate() }
            functions = load(pointer) ? pointer.pointee : nil
            return functions
        }
    }
}
