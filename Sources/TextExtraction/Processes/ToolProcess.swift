import Foundation
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A program that reads a file for us, in a process of its own with limits on time, memory and
/// output. It gets the file as its standard input and sees no name of it.
struct ToolProcess: Sendable {
    /// As it is called on a shell.
    var tool: String
    /// The Debian package that has it.
    var package: String
    var arguments: [String]

    struct Output {
        var bytes: [UInt8]
        /// The start of what it said on standard error.
        var complaints: String
        var status: Int32
    }

    /// Runs it.
    ///
    /// - Parameter maximumByteCount: of output; a process that gives more is ended.
    /// - Throws: `missingTool`, `tookTooLong`, `tooMuchText`, `toolFailed`, `stopped`.
    func run(
        _ file: SourceFile, _ limits: ExtractionLimits, _ deadline: Deadline,
        maximumByteCount: Int
    ) throws(ExtractionError) -> Output {
        guard let path = Self.find(tool) else { throw .missingTool(tool: tool, package: package) }
        guard let limiter = Self.find("prlimit") else {
            throw .missingTool(tool: "prlimit", package: "util-linux")
        }
        do { try file.descriptor.seek(offset: 0, from: .start) } catch {
            throw ExtractionError(error as? Errno ?? .ioError)
        }
        let (output, complaints) = (Pipe(), Pipe())
        let process = Process()
        process.executableURL = URL(fileURLWithPath: limiter)
        // The limits hold also when this process is killed: then nobody else ends the tool.
        process.arguments =
            [
                "--as=\(limits.toolByteCount)", "--core=0", "--fsize=0",
                "--cpu=\(max(1, limits.duration.components.seconds + 1))", "--", path,
            ] + arguments
        process.environment = ["LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"]
        process.standardInput = FileHandle(fileDescriptor: file.descriptor.rawValue)
        process.standardOutput = output
        process.standardError = complaints
        do { try process.run() } catch { throw .missingTool(tool: tool, package: package) }
        defer {
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            process.waitUntilExit()
        }
        var reader = PipeReader(
            output.fileHandleForReading.fileDescriptor,
            complaints.fileHandleForReading.fileDescriptor)
        while try reader.readMore() {
            try deadline.check()
            guard reader.bytes.count <= maximumByteCount else {
                throw .tooMuchText(limit: maximumByteCount)
            }
        }
        while process.isRunning {
            try deadline.check()
            usleep(500)
        }
        guard process.terminationReason == .exit else {
            throw .toolFailed(tool: tool, signal: process.terminationStatus)
        }
        return Output(
            bytes: reader.bytes,
            complaints: String(decoding: reader.complaints.prefix(4096), as: UTF8.self),
            status: process.terminationStatus)
    }

    /// The path of a program; nil where it is not installed.
    static func find(_ tool: String) -> String? {
        let variable = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        let folders = variable.split(separator: ":").map(String.init)
        return folders.map { "\($0)/\(tool)" }.first { access($0, X_OK) == 0 }
    }
}

/// Two pipes, read as data comes.
private struct PipeReader {
    private(set) var bytes: [UInt8] = []
    private(set) var complaints: [UInt8] = []
    private var polls: [pollfd]
    private var block = [UInt8](repeating: 0, count: 1 << 16)

    init(_ output: Int32, _ complaints: Int32) {
        polls = [output, complaints].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    }

    /// Waits for more, not long.
    ///
    /// - Returns: false when both pipes are at their end.
    mutating func readMore() throws(ExtractionError) -> Bool {
        guard polls.contains(where: { $0.fd >= 0 }) else { return false }
        guard poll(&polls, nfds_t(polls.count), 50) > 0 else { return true }
        for index in polls.indices where polls[index].revents != 0 {
            let count = Glibc.read(polls[index].fd, &block, block.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 {
                polls[index].fd = -1
            } else if index == 0 {
                bytes += block[..<count]
            } else if complaints.count < 4096 {
                complaints += block[..<count]
            }
        }
        return true
    }
}
