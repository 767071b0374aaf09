import Foundation
import TestSupport
import Testing

/// Runs the real program to its end.
struct Program {
    struct Result {
        var status: Int32
        var output: Data
        var errors: String

        var text: String { String(decoding: output, as: UTF8.self) }
        var lines: [String] { text.split(separator: "\n").map(String.init) }
    }

    /// Arguments after which `--model` makes no sense.
    static func run(
        _ arguments: [String], input: Data? = nil, environment: [String: String] = [:],
        directory: URL? = nil
    ) throws -> Result {
        let work = try TemporaryDirectory()
        let process = Process()
        process.executableURL = TestFiles.program
        process.arguments = arguments
        process.currentDirectoryURL = directory
        process.environment = ProcessInfo.processInfo.environment
            .merging([
                "MINILM_MODEL": TinyModel.path, "MINILM_BACKEND": "simd",
                "MINILM_TUNING_FILE": "none",
            ]) { $1 }.merging(environment) { $1 }
        // Files, not pipes: nothing can block however much is written.
        let files = try ["in", "out", "err"].map { name in
            let path = try work.write(name, name == "in" ? input ?? Data() : Data())
            return try #require(FileHandle(forUpdatingAtPath: path))
        }
        process.standardInput = files[0]
        process.standardOutput = files[1]
        process.standardError = files[2]
        try process.run()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus,
            output: try Data(contentsOf: work.url.appending(path: "out")),
            errors: String(
                decoding: try Data(contentsOf: work.url.appending(path: "err")), as: UTF8.self))
    }

    static func run(
        _ arguments: String..., input: String? = nil, environment: [String: String] = [:]
    ) throws -> Result {
        try run(arguments, input: input.map { Data($0.utf8) }, environment: environment)
    }
}

extension TemporaryDirectory {
    /// A directory of libraries that nothing can load, for `LD_LIBRARY_PATH`: as if they were not
    /// installed.
    func broken(_ libraries: [String]) throws -> String {
        for library in libraries { _ = try write(library, []) }
        return url.path
    }
}
