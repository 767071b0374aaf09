#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How many processors this process may use: the affinity mask and the cgroup's CPU quota, not the
/// host's cores.
public enum ProcessorCount {
    public static var available: Int {
        let quota = quota(
            v2: SystemFile.read("/sys/fs/cgroup/cpu.max"),
            v1Quota: SystemFile.read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
            v1Period: SystemFile.read("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))
        let processors =
            affinity(status: SystemFile.read("/proc/self/status"))
            ?? sysconf(Int32(_SC_NPROCESSORS_ONLN))
        return max(1, min(processors, quota ?? .max))
    }

    /// The processors in the affinity mask, from the text of `/proc/self/status`; nil where it has
    /// none.
    ///
    /// The line reads `Cpus_allowed: ffffffff,00000003`, in hexadecimal.
    package static func affinity(status: String?) -> Int? {
        guard
            let line = status?.split(separator: "\n").first(where: {
                $0.hasPrefix("Cpus_allowed:")
            })
        else { return nil }
        let count = line.dropFirst(13).reduce(0) { $0 + ($1.hexDigitValue ?? 0).nonzeroBitCount }
        return count > 0 ? count : nil
    }

    /// Whole processors of a quota, rounded up; nil when there is none.
    ///
    /// - Parameters:
    ///   - v2: the text of cgroup v2's `cpu.max`: "QUOTA PERIOD" or "max PERIOD", in microseconds.
    ///   - v1Quota: cgroup v1's `cpu.cfs_quota_us`, -1 for none.
    package static func quota(v2: String?, v1Quota: String?, v1Period: String?) -> Int? {
        if let fields = v2?.split(whereSeparator: \.isWhitespace), fields.count == 2 {
            return whole(Int(fields[0]), Int(fields[1]))
        }
        func number(_ text: String?) -> Int? {
            text.flatMap { Int($0.prefix { !$0.isWhitespace }) }
        }
        return whole(number(v1Quota), number(v1Period))
    }

    private static func whole(_ quota: Int?, _ period: Int?) -> Int? {
        guard let quota, let period, quota > 0, period > 0 else { return nil }
        return (quota + period - 1) / period
    }
}
