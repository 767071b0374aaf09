import Foundation

/// Where the tests find what they need.
public enum TestFiles {
    /// The package's root directory.
    public static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// A small file that is committed; tools/make-fixtures.py makes them anew.
    public static func fixture(_ name: String) -> URL {
        root.appending(path: "Tests/Fixtures/\(name)")
    }

    /// The converted reference model, which `tools/setup.sh` makes.
    public static let model = root.appending(path: "weights/all-MiniLM-L6-v2.safetensors")

    /// The reference checkpoint, which `tools/fetch-weights.sh` fetches.
    public static let checkpoint = root.appending(path: "weights/checkpoint")

    /// A file of the directory of references that stands beside the checkout on some machines; nil
    /// where it does not.
    public static func shared(_ path: String) -> URL? {
        let url = root.deletingLastPathComponent().appending(path: "shared/\(path)")
        return FileManager.default.fileExists(atPath: url.path) ? url : nil
    }

    /// The program under test, beside the test bundle.
    public static var program: URL {
        let configuration: String
        #if DEBUG
            configuration = "debug"
        #else
            configuration = "release"
        #endif
        if let path = ProcessInfo.processInfo.environment["MINILM_TEST_PROGRAM"] {
            return URL(fileURLWithPath: path)
        }
        return root.appending(path: ".build/\(configuration)/minilm")
    }
}

/// A directory that is removed with its owner.
public final class TemporaryDirectory: Sendable {
    public let url: URL

    public init() throws {
        url = FileManager.default.temporaryDirectory
            .appending(path: "minilm-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    public func path(_ name: String) -> String { url.appending(path: name).path }

    public func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        let path = path(name)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }
}

/// A small deterministic generator (SplitMix64), so that a failure can be repeated.
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
