#if canImport(Glibc)
    import CMalloc
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What this process has in memory, and what the machine or its cgroup has left. In bytes.
public enum ProcessMemory {
    /// The resident set: private pages and those of mapped files.
    public static var resident: Int {
        guard let text = SystemFile.read("/proc/self/statm") else { return 0 }
        return residentPages(statm: text) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// The largest resident set so far.
    public static var peakResident: Int {
        SystemFile.read("/proc/self/status").flatMap { kilobytes("VmHWM:", in: $0) } ?? 0
    }

    /// The resident pages that no file backs.
    package static var anonymous: Int {
        SystemFile.read("/proc/self/status").flatMap { kilobytes("RssAnon:", in: $0) } ?? 0
    }

    /// What this process could still take: the least of what the machine has and what its cgroups
    /// allow.
    package static var available: Int { limits.map(\.available).min() ?? .max }

    /// A limit of memory, and what is left below it. In bytes.
    public struct Limit: Sendable, Equatable {
        public var limit: Int
        public var available: Int

        public init(limit: Int, available: Int) {
            self.limit = limit
            self.available = available
        }
    }

    /// The machine's memory, and the limits of the cgroups that this process is in.
    public static var limits: [Limit] { limits(read: SystemFile.read) }

    /// - Parameters:
    ///   - read: reads a file; nil where there is none.
    package static func limits(read: (String) -> String?) -> [Limit] {
        var limits = cgroupLimits(membership: read("/proc/self/cgroup") ?? "", read: read)
        if let text = read("/proc/meminfo"), let available = kilobytes("MemAvailable:", in: text) {
            let total = kilobytes("MemTotal:", in: text) ?? available
            limits.append(Limit(limit: total, available: available))
        }
        return limits
    }

    /// Asks the C library to give what is free back to the system.
    public static func releaseFreeMemory() {
        #if canImport(Glibc)
            malloc_trim(0)
        #endif
    }

    /// Sets the C library's allocator up for a process whose memory shall stay flat: few arenas,
    /// and large blocks that go back to the system when they are freed.
    public static func keepFlat() {
        #if canImport(Glibc)
            mallopt(M_ARENA_MAX, 2)
            mallopt(M_MMAP_THRESHOLD, 1 << 18)
            mallopt(M_TRIM_THRESHOLD, 1 << 20)
        #endif
    }

    package static func residentPages(statm: String) -> Int {
        let fields = statm.split(separator: " ")
        return fields.count > 1 ? Int(fields[1]) ?? 0 : 0
    }

    /// The value of a line such as `VmHWM:   62412 kB`, in bytes.
    package static func kilobytes(_ name: String, in text: String) -> Int? {
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            let fields = line.split(whereSeparator: \.isWhitespace)
            return fields.count > 1 ? Int(fields[1]).map { $0 * 1024 } : nil
        }
        return nil
    }

    /// The limits of the cgroups of a process, each with those above it.
    ///
    /// A cgroup's use counts files' cached pages, which the system drops before it refuses memory;
    /// the inactive ones are not counted here.
    ///
    /// - Parameters:
    ///   - membership: the text of `/proc/self/cgroup`: `ID:CONTROLLERS:PATH` a line.
    ///   - read: reads a file; nil where there is none.
    package static func cgroupLimits(
        membership: String, read: (String) -> String?
    ) -> [Limit] {
        var limits: [Limit] = []
        for line in membership.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isV1 = fields[1].split(separator: ",").contains("memory")
            guard isV1 || (fields[0] == "0" && fields[1].isEmpty) else { continue }
            let root = isV1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup"
            var path = String(fields[2])
            while true {
                if let limit = limit(root + (path == "/" ? "" : path), isV1: isV1, read) {
                    limits.append(limit)
                }
                guard let slash = path.lastIndex(of: "/"), path != "/" else { break }
                path = slash == path.startIndex ? "/" : String(path[..<slash])
            }
        }
        return limits
    }

    private static func limit(
        _ directory: String, isV1: Bool, _ read: (String) -> String?
    ) -> Limit? {
        func number(_ name: String) -> Int? {
            read("\(directory)/\(name)").flatMap { Int($0.prefix { !$0.isWhitespace }) }
        }
        // Version 1 says a huge number where there is no limit, version 2 says "max".
        guard let limit = number(isV1 ? "memory.limit_in_bytes" : "memory.max"), limit < 1 << 60,
            let use = number(isV1 ? "memory.usage_in_bytes" : "memory.current")
        else { return nil }
        let inactive =
            read("\(directory)/memory.stat")?.split(separator: "\n")
            .first { $0.hasPrefix(isV1 ? "total_inactive_file " : "inactive_file ") }
            .flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? 0
        return Limit(limit: limit, available: max(0, limit - max(0, use - inactive)))
    }
}
