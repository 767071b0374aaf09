import Foundation
import TestSupport
import Testing

/// Runs the examples of README.md as they stand, with the program on PATH.
@Suite(.enabled(if: RealModel.isPresent, "the model is not set up: run tools/setup.sh"))
struct ReadmeTests {
    private struct Block {
        var language: String
        var code: String
    }

    private let blocks: [Block]

    init() throws {
        let text = try String(
            contentsOf: TestFiles.root.appending(path: "README.md"), encoding: .utf8)
        var blocks: [Block] = []
        var current: Block?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") {
                if let block = current {
                    blocks.append(block)
                    current = nil
                } else {
                    current = Block(language: String(line.dropFirst(3)), code: "")
                }
            } else {
                current?.code += line + "\n"
            }
        }
        self.blocks = blocks
    }

    private func hasTool(_ name: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            .contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
    }

    @Test(arguments: [("sh", "bash"), ("python", "python3"), ("javascript", "node")])
    func examplesRun(language: String, interpreter: String) throws {
        let examples = blocks.filter { $0.language == language }
        #expect(!examples.isEmpty)
        guard hasTool(interpreter) else {
            print("skipped: the README's \(language) examples need \(interpreter)")
            return
        }
        for example in examples {
            if example.code.contains("| jq"), !hasTool("jq") {
                print("skipped: one of the README's examples needs jq")
                continue
            }
            let work = try TemporaryDirectory()
            let script = try work.write("script", example.code.utf8)
            let output = try work.write("output", [])
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments =
                interpreter == "bash"
                ? ["bash", "-euo", "pipefail", script] : [interpreter, script]
            process.currentDirectoryURL = work.url
            var environment = ProcessInfo.processInfo.environment
            let directory = TestFiles.program.deletingLastPathComponent().path
            environment["PATH"] = "\(directory):\(environment["PATH"] ?? "")"
            environment["MINILM_MODEL"] = TestFiles.model.path
            environment["MODEL_DIR"] = TestFiles.checkpoint.path
            process.environment = environment
            let file = try #require(FileHandle(forWritingAtPath: output))
            process.standardOutput = file
            process.standardError = file
            try process.run()
            process.waitUntilExit()
            let text = try String(contentsOfFile: output, encoding: .utf8)
            #expect(process.terminationStatus == 0, "\(example.code)\n\(text)")
            #expect(!text.isEmpty, "\(example.code)")
        }
    }

    @Test func theOtherCommandsAreThoseThatCIRuns() {
        let commands = blocks.filter { $0.language == "console" }
            .flatMap { $0.code.split(separator: "\n") }
        #expect(commands == ["$ tools/setup.sh \"Hello, world\"", "$ tools/test.sh"])
        #expect(
            blocks.allSatisfy { ["sh", "console", "python", "javascript"].contains($0.language) })
    }
}
