import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Tells which files of a folder change, by Linux's inotify.
final class FolderWatch {
    private let folder: String
    private let descriptor: Int32
    /// The watched folders by the kernel's numbers.
    private var folders: [Int32: String] = [:]

    private static let events = UInt32(
        IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_CREATE | IN_ATTRIB
            | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
    /// Changes come in bursts: one is over when nothing comes for this long.
    private static let quietMilliseconds: Int32 = 300
    private static let longestBurst = Duration.seconds(5)

    /// - Parameter folder: absolute.
    /// - Throws: `CommandFailure`.
    init(_ folder: String) throws(CommandFailure) {
        self.folder = folder
        descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard descriptor >= 0 else {
            throw CommandFailure(.temporaryFailure, "inotify: \(String(cString: strerror(errno)))")
        }
        try add(folder)
    }

    deinit { close(descriptor) }

    /// Watches a folder and those below it.
    private func add(_ path: String) throws(CommandFailure) {
        let number = inotify_add_watch(descriptor, path, Self.events)
        guard number >= 0 else {
            // What is gone again, or may not be read, is not watched; it is not listed either.
            guard errno == ENOSPC || errno == ENOMEM else { return }
            throw CommandFailure(
                .temporaryFailure,
                "too many folders to watch: raise /proc/sys/fs/inotify/max_user_watches")
        }
        folders[number] = path
        guard let directory = opendir(path) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let isFolder = Int32(entry.pointee.d_type) == Int32(DT_DIR)
            if isFolder, !name.hasPrefix(".") { try add("\(path)/\(name)") }
        }
    }

    /// Waits for changes, and for their end.
    ///
    /// - Returns: the paths of files and folders that may have changed; nil when a stop was asked for.
    /// - Throws: `CommandFailure` when the folder itself is gone.
    func changes() throws(CommandFailure) -> Set<String>? {
        var changed: Set<String> = []
        var start: ContinuousClock.Instant?
        while true {
            let timeout = changed.isEmpty ? -1 : Self.quietMilliseconds
            var polls = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
            if let stop = Signals.stopRequests {
                polls.append(pollfd(fd: stop.rawValue, events: Int16(POLLIN), revents: 0))
            }
            let count = poll(&polls, nfds_t(polls.count), timeout)
            if Signals.isStopRequested { return nil }
            if count == 0 { return changed }
            if polls[0].revents != 0 { try read(into: &changed) }
            if !changed.isEmpty, start == nil { start = .now }
            if let start, .now - start > Self.longestBurst { return changed }
        }
    }

    private func read(into changed: inout Set<String>) throws(CommandFailure) {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return }
            var offset = 0
            while offset + MemoryLayout<inotify_event>.size <= count {
                let event = buffer.withUnsafeBytes {
                    $0.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                }
                let start = offset + MemoryLayout<inotify_event>.size
                let name = buffer[start..<start + Int(event.len)].prefix { $0 != 0 }
                offset = start + Int(event.len)
                try note(event, String(decoding: name, as: UTF8.self), &changed)
            }
        }
    }

    private func note(
        _ event: inotify_event, _ name: String, _ changed: inout Set<String>
    ) throws(CommandFailure) {
        func has(_ bit: Int32) -> Bool { event.mask & UInt32(bitPattern: bit) != 0 }
        // Changes were lost: all may have changed.
        if has(Int32(IN_Q_OVERFLOW)) {
            changed.insert(folder)
            return
        }
        guard let parent = folders[event.wd] else { return }
        if has(Int32(IN_IGNORED)) { folders[event.wd] = nil }
        if has(Int32(IN_DELETE_SELF)) || has(Int32(IN_MOVE_SELF)) {
            guard parent != folder else {
                throw CommandFailure(.noInput, "\(folder): the folder is gone; nothing was removed")
            }
            return
        }
        guard !name.isEmpty, !name.hasPrefix(".") else { return }
        let path = "\(parent)/\(name)"
        let isFolder = event.mask & UInt32(IN_ISDIR) != 0
        if isFolder, has(Int32(IN_CREATE)) || has(Int32(IN_MOVED_TO)) { try add(path) }
        // A file that was made is looked at when it is closed.
        if !isFolder, event.mask == UInt32(IN_CREATE) { return }
        changed.insert(path)
    }
}
