import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Finds the files that arguments name.
enum FileWalk {
    struct File: Equatable {
        /// Absolute.
        var path: String
        var name: String
        /// Whether it was named itself, rather than found in a directory.
        var isNamed: Bool
    }

    struct Listing: Equatable {
        var files: [File] = []
        /// Directories that could not be read, or not to their end.
        var unreadable: [String] = []
        /// What has no name that text can hold, with a sign where its name is not UTF-8.
        var unnameable: [String] = []

        /// All that could not be listed, and why.
        var failures: [(path: String, reason: String)] {
            unreadable.map { ($0, "the directory cannot be read") }
                + unnameable.map { ($0, "its name is not UTF-8") }
        }
    }

    /// The named files as they are, and all regular files below the named directories, in the order
    /// of their paths; nothing hidden, and no link is followed.
    static func files(_ arguments: [String]) -> Listing {
        var listing = Listing()
        var seen: Set<String> = []
        for argument in arguments {
            let url = URL(fileURLWithPath: argument).standardizedFileURL
            var isDirectory: ObjCBool = false
            let exists = FileManager.default.fileExists(
                atPath: url.path, isDirectory: &isDirectory)
            let found =
                exists && isDirectory.boolValue
                ? list(url)
                : Listing(files: [
                    File(path: url.path, name: url.lastPathComponent, isNamed: true)
                ])
            listing.files += found.files.filter { seen.insert($0.path).inserted }
            listing.unreadable += found.unreadable.filter { seen.insert($0).inserted }
            listing.unnameable += found.unnameable.filter { seen.insert($0).inserted }
        }
        return listing
    }

    /// All regular files below a directory, in the order of their paths, and what could not be listed.
    static func list(_ directory: URL) -> Listing {
        var listing = Listing()
        // Directories that wait, so that depth takes no stack.
        var waiting = [directory.path]
        while let path = waiting.popLast() {
            guard let entries = opendir(path) else {
                // What is gone since its name was read is passed over.
                if errno != ENOENT || path == directory.path { listing.unreadable.append(path) }
                continue
            }
            defer { closedir(entries) }
            errno = 0
            while let entry = readdir(entries) {
                visit(entry, in: path, root: directory.path, &listing, &waiting)
                errno = 0
            }
            if errno != 0 { listing.unreadable.append(path) }
        }
        listing.files.sort { $0.path < $1.path }
        listing.unreadable.sort()
        listing.unnameable.sort()
        return listing
    }

    private static func visit(
        _ entry: UnsafeMutablePointer<dirent>, in directory: String, root: String,
        _ listing: inout Listing, _ waiting: inout [String]
    ) {
        let offset = MemoryLayout<dirent>.offset(of: \.d_name)!
        let name = UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(
            to: CChar.self)
        guard name[0] != CChar(UInt8(ascii: ".")) else { return }
        let prefix = directory.hasSuffix("/") ? directory : directory + "/"
        guard let text = String(validatingCString: name) else {
            listing.unnameable.append(prefix + String(cString: name))
            return
        }
        let path = prefix + text
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: waiting.append(path)
        case S_IFREG:
            let name = path.dropFirst(root.count).drop { $0 == "/" }
            listing.files.append(File(path: path, name: String(name), isNamed: false))
        default: break
        }
    }
}
