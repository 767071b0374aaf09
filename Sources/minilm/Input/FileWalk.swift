import Foundation
import SystemPackage

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
        /// What could not be looked at: files, and directories with all that is in them.
        var failures: [Failure] = []
    }

    struct Failure: Equatable {
        /// Absolute; a byte that is not UTF-8 as `\xE9`.
        var path: String
        var reason: String
    }

    /// The named files as they are, and all regular files below the named directories, in the order
    /// of their paths; nothing hidden, and no link below them is followed.
    static func files(_ arguments: [String]) -> Listing {
        var listing = Listing()
        // By their bytes: strings are equal in more ways than names are.
        var seen: Set<[UInt8]> = []
        for argument in arguments {
            let url = URL(fileURLWithPath: argument).standardizedFileURL
            var isDirectory: ObjCBool = false
            let exists = FileManager.default.fileExists(
                atPath: url.path, isDirectory: &isDirectory)
            guard exists, isDirectory.boolValue else {
                if seen.insert(Array(url.path.utf8)).inserted {
                    listing.files.append(
                        File(path: url.path, name: url.lastPathComponent, isNamed: true))
                }
                continue
            }
            let found = list(url.resolvingSymlinksInPath())
            listing.files += found.files.filter { seen.insert(Array($0.path.utf8)).inserted }
            listing.failures += found.failures.filter { !listing.failures.contains($0) }
        }
        return listing
    }

    /// All regular files below a directory, on its file system, in the order of their paths.
    static func list(_ directory: URL) -> Listing {
        var walk = Walk(root: directory.path)
        walk.run()
        walk.listing.files.sort { $0.path < $1.path }
        walk.listing.failures.sort { $0.path < $1.path }
        return walk.listing
    }

    private struct Walk {
        let root: String
        var listing = Listing()
        /// Directories that wait, so that depth takes no stack.
        private var waiting: [String] = []
        private var device: dev_t?

        init(root: String) { self.root = root }

        mutating func run() {
            var status = stat()
            if lstat(root, &status) == 0 { device = status.st_dev }
            waiting = [root]
            while let path = waiting.popLast() { read(path) }
        }

        private mutating func read(_ directory: String) {
            guard let entries = opendir(directory) else {
                // What is gone since its name was read is passed over.
                if errno != ENOENT || directory == root { fail(directory, errno) }
                return
            }
            defer { closedir(entries) }
            errno = 0
            while let entry = readdir(entries) {
                let offset = MemoryLayout<dirent>.offset(of: \.d_name)!
                let name = UnsafeRawPointer(entry).advanced(by: offset)
                    .assumingMemoryBound(to: UInt8.self)
                if name[0] != UInt8(ascii: ".") {
                    visit(
                        Array(UnsafeBufferPointer(start: name, count: strlen(name))), in: directory)
                }
                errno = 0
            }
            if errno != 0 { fail(directory, errno) }
        }

        private mutating func visit(_ name: [UInt8], in directory: String) {
            let bytes = Array((directory.hasSuffix("/") ? directory : directory + "/").utf8) + name
            var status = stat()
            let result = (bytes + [0]).withUnsafeBytes {
                lstat($0.assumingMemoryBound(to: CChar.self).baseAddress!, &status)
            }
            let error = result == 0 ? 0 : errno
            if error == ENOENT { return }
            let type = status.st_mode & S_IFMT
            if error == 0, type != S_IFREG, type != S_IFDIR { return }
            guard let path = String(validating: bytes, as: UTF8.self) else {
                listing.failures.append(
                    Failure(path: Self.escaped(bytes), reason: "its name is not UTF-8"))
                return
            }
            if error != 0 {
                fail(path, error)
            } else if type == S_IFREG {
                let name = path.dropFirst(root.count).drop { $0 == "/" }
                listing.files.append(File(path: path, name: String(name), isNamed: false))
            } else if status.st_dev == device {
                waiting.append(path)
            }
        }

        private mutating func fail(_ path: String, _ error: CInt) {
            listing.failures.append(
                Failure(
                    path: path, reason: "cannot be read: \(Errno(rawValue: error).description)"))
        }

        private static func escaped(_ bytes: [UInt8]) -> String {
            bytes.map { byte in
                byte < 0x80
                    ? String(UnicodeScalar(byte))
                    : "\\x" + String(byte, radix: 16, uppercase: true)
            }.joined()
        }
    }
}
