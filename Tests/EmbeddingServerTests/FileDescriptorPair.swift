import Logging
import SystemPackage

/// An empty input and an output that takes everything.
final class FileDescriptorPair {
    let input: FileDescriptor
    let output: FileDescriptor
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        input = try FileDescriptor.open("/dev/null", .readOnly)
        output = try FileDescriptor.open("/dev/null", .writeOnly)
    }

    deinit {
        for descriptor in [input, output] { try? descriptor.close() }
    }
}
