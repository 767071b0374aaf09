import Foundation

/// Finds the files that arguments name.
enum FileWalk {
    struct File: Equatable {
        /// Absolute.
        var path: String
        var name: String
        /// Whether it was named itself, rather than found in a directory.
        var isNamed: Bool
    }

    /// The named files as they are, and all regular files below the named directories, in the order
    /// of their paths; nothing hidden, and no link is followed.
    static func files(_ arguments: [String]) -> [File] {
        var files: [File] = []
        var seen: Set<String> = []
        for argument in arguments {
            let url = URL(fileURLWithPath: argument).standardizedFileURL
            var isDirectory: ObjCBool = false
            let exists = FileManager.default.fileExists(
                atPath: url.path, isDirectory: &isDirectory)
            let found =
                exists && isDirectory.boolValue
                ? below(url)
                : [File(path: url.path, name: url.lastPathComponent, isNamed: true)]
            files += found.filter { seen.insert($0.path).inserted }
        }
        return files
    }

    private static func below(_ directory: URL) -> [File] { list(directory).files }

    /// All regular files below a directory, in the order of their paths, and the directories that could
    /// not be read.
    static func list(_ directory: URL) -> (files: [File], unreadable: [String]) {
        let keys: [URLResourceKey] = [.isRegularFileKey]
        var unreadable: [String] = []
        guard
            let walk = FileManager.default.enumerator(
                at: directory, includingPropertiesForKeys: keys, options: [.skipsHiddenFiles],
                errorHandler: { url, _ in
                    unreadable.append(url.standardizedFileURL.path)
                    return true
                })
        else { return ([], [directory.path]) }
        var files: [File] = []
        for case let url as URL in walk {
            guard isRegular(url, keys) else { continue }
            let path = url.standardizedFileURL.path
            let name = path.dropFirst(directory.path.count).drop { $0 == "/" }
            files.append(File(path: path, name: String(name), isNamed: false))
        }
        return (files.sorted { $0.path < $1.path }, unreadable)
    }

    private static func isRegular(_ url: URL, _ keys: [URLResourceKey]) -> Bool {
        // What is gone since the directory was read is passed over.
        do { return try url.resourceValues(forKeys: Set(keys)).isRegularFile == true } catch {
            return false
        }
    }
}
