import EmbeddingEngine
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Who holds a lease: one opening of a library by one process, named so that others on the same
/// machine can tell whether it is gone.
package struct LeaseOwner: Equatable, Sendable, CustomStringConvertible {
    /// Of the running kernel.
    package var bootID: String
    /// Process ids mean something only within their namespace.
    package var processNamespace: String
    package var processID: Int32
    /// Clock ticks from boot to the process's start: ids are used again.
    package var startTime: String
    /// Tells several openings by one process apart.
    package var instance: String

    /// This process, as a new owner.
    package static func current() -> LeaseOwner {
        let id = ProcessInfo.processInfo.processIdentifier
        return LeaseOwner(
            bootID: machineBootID(), processNamespace: namespace(),
            processID: id, startTime: ProcessState(id)?.startTime ?? "",
            instance: String(UInt32.random(in: .min ... .max), radix: 16))
    }

    /// As it stands in the database.
    package var description: String {
        "\(bootID)/\(processNamespace)/\(processID)/\(startTime)/\(instance)"
    }

    package init?(_ description: String) {
        let fields = description.split(separator: "/", omittingEmptySubsequences: false)
        guard fields.count == 5, let id = Int32(fields[2]) else { return nil }
        self.init(
            bootID: String(fields[0]), processNamespace: String(fields[1]), processID: id,
            startTime: String(fields[3]), instance: String(fields[4]))
    }

    init(
        bootID: String, processNamespace: String, processID: Int32, startTime: String,
        instance: String
    ) {
        self.bootID = bootID
        self.processNamespace = processNamespace
        self.processID = processID
        self.startTime = startTime
        self.instance = instance
    }

    /// Whether the process is certainly gone. One that this process cannot see, for it runs in
    /// another namespace or ran before a reboot, is not: its lease expires.
    package var isGone: Bool {
        guard bootID == Self.machineBootID(), processNamespace == Self.namespace(), !bootID.isEmpty
        else { return false }
        if let state = ProcessState(processID) {
            return state.startTime != startTime || state.isZombie
        }
        return kill(processID, 0) == -1 && errno == ESRCH
    }

    private static func machineBootID() -> String {
        (SystemFile.read("/proc/sys/kernel/random/boot_id") ?? "").filter { !$0.isWhitespace }
    }

    private static func namespace() -> String {
        var name = [CChar](repeating: 0, count: 64)
        let count = readlink("/proc/self/ns/pid", &name, name.count)
        let bytes = name.prefix(max(0, count)).map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What `/proc/PID/stat` says of a process.
private struct ProcessState {
    var isZombie: Bool
    var startTime: String

    init?(_ id: Int32) {
        // The second field, the command in parentheses, may hold anything.
        guard let text = SystemFile.read("/proc/\(id)/stat"), let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19 else { return nil }
        isZombie = fields[0] == "Z" || fields[0] == "X"
        startTime = String(fields[19])
    }
}
