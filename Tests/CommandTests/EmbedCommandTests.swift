import Foundation
import JSON
import TestSupport
import Testing

@Suite struct EmbedCommandTests {
    private let expectations = try! TinyModel.expectations()

    private func check(_ vectors: [[Float]], _ key: String = "mean_normalized") throws {
        #expect(vectors.count == expectations.count)
        for (vector, expected) in zip(vectors, expectations) {
            let reference = try #require(expected.vectors[key])
            #expect(vector.count == reference.count)
            for (a, b) in zip(vector, reference) { #expect(abs(a - b) < 1e-5) }
        }
    }

    private func vectors(_ lines: [String]) throws -> [[Float]] {
        try lines.enumerated().map { index, line in
            let row = try JSONValue(parsing: Array(line.utf8))
            #expect(row["index"]?.int == index)
            return try #require(row["embedding"]?.array).compactMap(\.double).map { Float($0) }
        }
    }

    @Test func argumentsAreTexts() throws {
        let result = try Program.run(["embed", "--"] + expectations.map(\.text))
        #expect(result.status == 0)
        #expect(result.errors == "")
        try check(try vectors(result.lines))
    }

    @Test func linesAreTextsAndBlankOnesToo() throws {
        let result = try Program.run(
            "embed", input: expectations.map(\.text).joined(separator: "\n"))
        try check(try vectors(result.lines))
    }

    @Test func jsonLinesKeepTheirIDs() throws {
        let input = expectations.enumerated().map { index, expected in
            var json = JSONWriter()
            json.value(
                .object([.init("id", .string("n\(index)")), .init("body", .string(expected.text))]))
            return String(decoding: json.bytes, as: UTF8.self)
        }
        let result = try Program.run(
            "embed", "--input-format", "jsonl", "--field", "body",
            input: input.joined(separator: "\n"))
        try check(try vectors(result.lines))
        #expect(try JSONValue(parsing: Array(result.lines[3].utf8))["id"] == .string("n3"))
    }

    @Test func filesAreTexts() throws {
        let directory = try TemporaryDirectory()
        var arguments = ["embed", "--input-format", "file"]
        for (i, expected) in expectations.enumerated() {
            arguments += ["-i", try directory.write("\(i).txt", expected.text.utf8)]
        }
        try check(try vectors(try Program.run(arguments).lines))
    }

    @Test func everyFormatHoldsTheSameVectors() throws {
        let texts = ["--"] + expectations.map(\.text)
        let csv = try Program.run(["embed", "--format", "csv"] + texts)
        try check(csv.lines.map { $0.split(separator: ",").compactMap { Float($0) } })
        let raw = try Program.run(["embed", "--format", "f32"] + texts).output
        try check(rows(raw))
        let array = try Program.run(["embed", "--format", "npy"] + texts).output
        #expect(Array(array.prefix(8)) == [0x93] + Array("NUMPY".utf8) + [1, 0])
        let header = String(decoding: array[10..<128], as: UTF8.self)
        #expect(header.hasPrefix("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 24), }"))
        #expect(header.hasSuffix(" \n"))
        try check(rows(array.dropFirst(128)))
    }

    private func rows(_ data: Data) -> [[Float]] {
        let values = Array(data).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        return stride(from: 0, to: values.count, by: 24).map { Array(values[$0..<$0 + 24]) }
    }

    @Test(arguments: ["jsonl", "npy", "csv", "f32"])
    func anOutputFileEqualsStandardOutput(format: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("vectors")
        let result = try Program.run("embed", "--format", format, "--output", path, "cat", "dog")
        #expect(result.status == 0)
        #expect(result.output.isEmpty)
        let direct = try Program.run("embed", "--format", format, "cat", "dog")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == direct.output)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path).count == 1)
    }

    @Test func aFailureLeavesTheOldOutput() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("vectors", "old".utf8)
        let input = try directory.write("bad", [0x61, 0x0A, 0x62, 0xFF])
        let result = try Program.run("embed", "--output", path, "--input", input)
        #expect(result.status == 65)
        #expect(
            result.errors
                == "minilm: \(input): not UTF-8 in line 2, at byte 1 of it (byte 3 of the input); "
                + "--invalid-utf8 replace goes on\n")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.url.path).sorted()
                == ["bad", "vectors"])
        #expect(
            try Program.run("embed", "--invalid-utf8", "replace", "--input", input).status == 0)
    }

    @Test func aFullDiskIsAnError() throws {
        let result = try Program.run("embed", "--output", "/dev/full", "cat")
        #expect(result.status == 74)
        #expect(result.errors == "minilm: /dev/full: No space left on device\n")
    }

    @Test func truncationIsReportedAndCanBeAnError() throws {
        let long = String(repeating: "cat ", count: 60)
        let cut = try Program.run("embed", "cat", long)
        #expect(cut.errors == "minilm: 1 of 2 texts were cut to 32 tokens (--max-tokens)\n")
        #expect(try JSONValue(parsing: Array(cut.lines[1].utf8))["dropped"]?.int == 30)
        #expect(try Program.run("embed", "--quiet", long).errors == "")
        let refused = try Program.run("embed", "--truncation", "error", "cat", long)
        #expect(refused.status == 65)
        #expect(
            refused.errors == "minilm: text 2 has 62 tokens, over --max-tokens 32\n")
        #expect(try Program.run("embed", "--max-tokens", "48", "--quiet", long).status == 0)
        #expect(try Program.run("embed", "--max-tokens", "49", long).status == 64)
    }

    @Test func aPipeIsServedWhileItIsOpen() throws {
        let process = Process()
        process.executableURL = TestFiles.program
        process.arguments = ["embed", "--model", TinyModel.path]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        for index in 0..<3 {
            try input.fileHandleForWriting.write(contentsOf: Data("cat \(index)\n".utf8))
            var line = Data()
            while line.last != 0x0A {
                line += try #require(try output.fileHandleForReading.read(upToCount: 1))
            }
            #expect(try JSONValue(parsing: Array(line))["index"]?.int == index)
        }
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func aSignalStopsCleanly(signal: Int32) throws {
        let directory = try TemporaryDirectory()
        let process = Process()
        process.executableURL = TestFiles.program
        let path = directory.path("vectors")
        process.arguments = ["embed", "--model", TinyModel.path, "--output", path]
        let (input, errors) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardError = errors
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data("cat\ndog\n".utf8))
        // The temporary file shows that the program is past its start.
        while try FileManager.default.contentsOfDirectory(atPath: directory.url.path).isEmpty {}
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        #expect(process.terminationStatus == 130)
        #expect(process.terminationReason == .exit)
        let message = String(
            decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(message.hasPrefix("minilm: interrupted"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.url.path).isEmpty)
    }

    @Test(
        arguments: [
            (["embed", "--format", "xml", "a"], 64), (["embed", "--threads", "0", "a"], 64),
            (["embed", "--input", "/does/not/exist"], 66), (["embed", "--input", "/tmp"], 65),
            (["embed", "--output", "/does/not/exist/x", "a"], 73),
            (["embed", "--output", "/tmp", "a"], 73),
            (["embed", "--model", "/does/not/exist", "a"], 66),
            (["embed", "--model", "/tmp", "a"], 65),
            (["embed", "--model", "/dev/null", "a"], 65), (["fly"], 64),
            (["embed", "--max-tokens", "x"], 64),
        ] as [([String], Int32)])
    func failuresHaveTheirExitCodeAndOneLine(arguments: [String], status: Int32) throws {
        let result = try Program.run(arguments)
        #expect(result.status == status)
        #expect(result.output.isEmpty)
        #expect(result.errors.hasPrefix("minilm: "))
        #expect(result.errors.split(separator: "\n").count == 1)
    }

    @Test func textsBeforeABadLineAreEmbedded() throws {
        let result = try Program.run(["embed"], input: Data("a\r\nb\n".utf8) + [0x63, 0xFF, 0x0A])
        #expect(result.status == 65)
        #expect(result.lines.count == 2)
        #expect(result.errors.contains("in line 3, at byte 1 of it (byte 6 of the input)"))
    }

    @Test func aByteOrderMarkIsNoPartOfTheInput() throws {
        let result = try Program.run(
            "embed", "--input-format", "jsonl", input: "\u{FEFF}\"cat\"\n\n{\"text\":\"dog\"}\n")
        #expect(result.status == 0)
        #expect(result.lines.count == 2)
    }

    @Test func anEndlessLineIsAnError() throws {
        let result = try Program.run(
            "embed", "--input", "/dev/zero", "--max-line-bytes", "1000000")
        #expect(result.status == 65)
        #expect(result.errors.contains("over --max-line-bytes 1000000"))
    }

    @Test func closedStandardStreamsAreErrorsNotHangs() throws {
        func shell(_ script: String) throws -> Int32 {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", script, TestFiles.program.path, TinyModel.path]
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            return process.terminationStatus
        }
        #expect(try shell("\"$0\" embed -m \"$1\" <&-") == 74)
        #expect(try shell("\"$0\" embed -m \"$1\" cat >&-") == 74)
        #expect(try shell("\"$0\" embed -m \"$1\" cat <&- >/dev/null") == 0)
        #expect(try shell("\"$0\" serve -m \"$1\" <&- >&-") == 74)
        #expect(try shell("echo '{' | \"$0\" serve -m \"$1\" >&-") == 74)
    }

    @Test func outputThatIsPrintedMustArrive() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", "\"$0\" similarity -m \"$1\" a b >/dev/full 2>/dev/null", TestFiles.program.path,
            TinyModel.path,
        ]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 74)
    }

    @Test func standardOutputByNameIsAStream() throws {
        let result = try Program.run("embed", "--output", "/dev/stdout", "--format", "csv", "cat")
        #expect(result.status == 0)
        #expect(result.lines.count == 1)
    }

    @Test func environmentVariablesAreChecked() throws {
        let result = try Program.run("embed", "a", environment: ["MINILM_THREADS": "many"])
        #expect(result.status == 64)
        #expect(
            result.errors
                == "minilm: $MINILM_THREADS is \"many\", expected a number within 1 and 64\n")
    }

    @Test func manyTextsKeepTheirOrder() throws {
        let words = ["cat", "dog", "fox", "the lazy dog", "hello"]
        let texts = (0..<5000).map { words[$0 % 5] }
        let result = try Program.run(
            "embed", "--format", "f32", input: texts.joined(separator: "\n"))
        let vectors = rows(result.output)
        #expect(vectors.count == 5000)
        for i in 5..<5000 {
            for (a, b) in zip(vectors[i], vectors[i % 5]) { #expect(abs(a - b) < 1e-6) }
        }
    }
}
