import Foundation
import JSON
import TestSupport
import Testing

@Suite struct ModelCommandTests {
    private let checkpoint = TestFiles.fixture("tiny-bert").path

    @Test func aCheckpointIsConvertedAndVerified() throws {
        let directory = try TemporaryDirectory()
        let out = directory.path("model.safetensors")
        let converted = try Program.run("convert", checkpoint, out, "--name", "tiny")
        #expect(converted.status == 0)
        #expect(converted.lines[0] == "\(out): tiny")
        #expect(converted.lines[2].hasPrefix("fingerprint "))
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: out))
                == Data(contentsOf: URL(fileURLWithPath: TinyModel.path)))
        let verified = try Program.run("verify", out)
        #expect(verified.status == 0)
        #expect(verified.text.hasPrefix("\(out): sound; fingerprint "))
    }

    @Test func whatCannotBeConvertedIsNamed() throws {
        let directory = try TemporaryDirectory()
        let out = directory.path("model.safetensors")
        let missing = try Program.run("convert", "/does/not/exist", out)
        #expect(missing.status == 66)
        let empty = try Program.run("convert", directory.url.path, out)
        #expect(empty.status == 66)
        #expect(empty.errors.hasSuffix("config.json: No such file or directory\n"))
        #expect(!FileManager.default.fileExists(atPath: out))
        #expect(try Program.run("convert", checkpoint, "/does/not/exist/model").status != 0)
    }

    @Test func aDamagedWeightIsFound() throws {
        let directory = try TemporaryDirectory()
        var bytes = try Data(contentsOf: URL(fileURLWithPath: TinyModel.path))
        bytes[bytes.count / 2] ^= 1
        let path = try directory.write("damaged", bytes)
        let result = try Program.run("verify", path)
        #expect(result.status == 65)
        #expect(
            result.errors.hasPrefix("minilm: \(path): damaged: its content has the fingerprint "))
    }

    @Test func infoIsReadableByPeopleAndPrograms() throws {
        let text = try Program.run("info").text
        #expect(
            text.contains("pooling_mode") && text.contains("provenance.model.safetensors.sha256"))
        let json = try JSONValue(parsing: Array(try Program.run("info", "--json").output))
        #expect(json["name"] == .string("tiny"))
        #expect(json["hidden_size"] == .string("24"))
        #expect(json["fingerprint"]?.string?.count == 64)
        #expect(json["backend"] == .string("simd"))
    }

    @Test(arguments: ["simd", "openblas"])
    func aBackendCanBeChosen(name: String) throws {
        for (arguments, environment) in [
            (["info", "--json", "--backend", name], [:]),
            (["info", "--json"], ["MINILM_BACKEND": name]),
        ] {
            let result = try Program.run(arguments, environment: environment)
            let json = try JSONValue(parsing: Array(result.output))
            #expect(json["backend"] == .string(name))
            #expect(json["backend_reason"]?.string?.contains("by name") == true)
        }
        let vector = try Program.run("embed", "--backend", name, "a text")
        #expect(vector.status == 0)
        #expect(try Program.run("verify", "--backend", name).status == 0)
    }

    @Test func withoutOpenBLASTheOtherBackendComputes() throws {
        let directory = try TemporaryDirectory()
        let environment = [
            "LD_LIBRARY_PATH": try directory.broken(["libopenblas.so.0"]),
            "MINILM_TUNING_FILE": directory.path("tuning.json"), "MINILM_BACKEND": "auto",
        ]
        let refused = try Program.run(
            ["embed", "--backend", "openblas", "a text"], environment: environment)
        #expect(refused.status == 64)
        #expect(
            refused.errors
                == "minilm: OpenBLAS is not installed; as root: apt-get install libopenblas0\n")
        let vector = try Program.run(["embed", "a text"], environment: environment)
        #expect(try vector.text == Program.run("embed", "--backend", "simd", "a text").text)
        let info = try Program.run(["info", "--json"], environment: environment)
        let json = try JSONValue(parsing: Array(info.output))
        #expect(json["backend"] == .string("simd"))
        #expect(json["backend_reason"]?.string?.hasSuffix("no other backend can run here") == true)
        // As if it had been there, and faster, at the last start.
        var others = environment
        others["LD_LIBRARY_PATH"] = ""
        #expect(try Program.run(["embed", "a text"], environment: others).status == 0)
        let path = directory.path("tuning.json")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains("\"simd\""))
        let remembered = text.replacingOccurrences(of: "\"simd\"", with: "\"openblas\"")
        try remembered.write(toFile: path, atomically: true, encoding: .utf8)
        #expect(try Program.run(["embed", "a text"], environment: environment).status == 0)
    }

    /// What the first start finds out is there at the second.
    @Test func tuningIsRememberedAndExplained() throws {
        let directory = try TemporaryDirectory()
        let environment = [
            "MINILM_BACKEND": "auto", "MINILM_TUNING_FILE": directory.path("tuning.json"),
        ]
        func reason() throws -> String? {
            let result = try Program.run(["info", "--json"], environment: environment)
            return try JSONValue(parsing: Array(result.output))["backend_reason"]?.string
        }
        #expect(try reason()?.contains("a short trial at the start: openblas") == true)
        #expect(try reason()?.contains("a trial that was remembered: openblas") == true)
        let tuned = try Program.run(
            ["tune", "--json", "--seconds", "0.02"], environment: environment)
        let json = try JSONValue(parsing: Array(tuned.output))
        #expect(tuned.status == 0, "\(tuned.errors)")
        #expect(json["measurements"]?.array?.count ?? 0 >= 5)
        #expect(json["file"] == .string(directory.path("tuning.json")))
        let info = try Program.run(["info", "--json"], environment: environment)
        let facts = try JSONValue(parsing: Array(info.output))
        #expect(facts["backend"] == json["backend"])
        #expect(facts["threads"] == json["threads"])
        #expect(facts["batch_tokens"] == json["batch_tokens"])
        // Options go first.
        let chosen = try Program.run(
            ["info", "--json", "--threads", "3", "--max-batch-tokens", "77"],
            environment: environment)
        let changed = try JSONValue(parsing: Array(chosen.output))
        #expect(changed["threads"]?.int == 3)
        #expect(changed["batch_tokens"]?.int == 77)
    }

    @Test func aTuningThatCannotBeKeptSaysSo() throws {
        let environment = ["MINILM_TUNING_FILE": "/dev/null/tuning.json"]
        let result = try Program.run(["tune", "--seconds", "0.01"], environment: environment)
        #expect(result.status == 73)
        #expect(result.errors.contains("cannot write /dev/null/tuning.json"))
        let dry = try Program.run(
            ["tune", "--seconds", "0.01", "--dry-run"], environment: environment)
        #expect(dry.status == 0)
        #expect(dry.text.contains("best: "))
    }

    @Test func benchmarksArePrintedForPeopleAndPrograms() throws {
        let arguments = ["bench", "--rounds", "1", "--seconds", "0.02", "--lengths", "8,mixed"]
        let text = try Program.run(arguments)
        #expect(text.status == 0, "\(text.errors)")
        #expect(text.text.contains("of peak") && text.text.contains("attention"))
        let result = try Program.run(arguments + ["--json"])
        let json = try JSONValue(parsing: Array(result.output))
        let results = try #require(json["results"]?.array)
        #expect(json["peak_gflops"]?.double ?? 0 > 0)
        #expect(results.count == 2)
        for row in results {
            #expect(row["gflops"]?.double ?? 0 > 0)
            #expect(row["one_text_ms"]?.double ?? 0 > 0)
            let shares = try #require(row["stages"]?.members?.compactMap { $0.value.double })
            #expect(abs(shares.reduce(0, +) - 1) < 1e-6)
        }
        for wrong in [
            ["--lengths", "0"], ["--lengths", "3"], ["--lengths", "x"], ["--lengths", "33"],
            ["--rounds", "0"],
            ["--seconds", "0"],
        ] {
            #expect(try Program.run(["bench"] + wrong).status == 64)
        }
    }

    @Test func aModelComparedWithItselfHasNotMoved() throws {
        let result = try Program.run("compare", "--json", TinyModel.path, TinyModel.path)
        let json = try JSONValue(parsing: Array(result.output))
        #expect(json["same_fingerprint"] == .bool(true))
        #expect(json["texts"]?.int == 24)
        #expect(abs(try #require(json["minimum"]?.double) - 1) < 1e-6)
    }

    @Test func aChangedModelDriftsAndTheWorstTextsAreShown() throws {
        let directory = try TemporaryDirectory()
        let copy = directory.url.appending(path: "changed")
        try FileManager.default.copyItem(at: TestFiles.fixture("tiny-bert"), to: copy)
        let pooling = copy.appending(path: "1_Pooling/config.json")
        try Data(#"{"pooling_mode":"cls"}"#.utf8).write(to: pooling)
        let new = directory.path("new.safetensors")
        #expect(try Program.run("convert", copy.path, new).status == 0)
        let texts = try directory.write("texts", "hello\nthe lazy dog\nworld\n".utf8)
        let result = try Program.run(
            "compare", TinyModel.path, new, "--texts", texts, "--worst", "2")
        #expect(result.status == 0)
        #expect(result.lines[0] == "texts    3")
        #expect(result.lines[1] == "model    different fingerprints")
        #expect(result.lines.suffix(2).allSatisfy { $0.contains("#") })
        let json = try JSONValue(
            parsing: Array(
                try Program.run("compare", TinyModel.path, new, "--texts", texts, "--json").output))
        #expect(try #require(json["minimum"]?.double) < 0.999)
        #expect(json["worst"]?.array?.count == 3)
    }

    @Test func tokensAreShown() throws {
        let result = try Program.run("tokenize", "Cats [MASK]", "")
        #expect(
            result.text == """
                {"ids":[2,58,77,4,3],"tokens":["[CLS]","cat","##s","[MASK]","[SEP]"],\
                "offsets":[[0,0],[0,3],[3,4],[5,11],[0,0]],"dropped":0}
                {"ids":[2,3],"tokens":["[CLS]","[SEP]"],"offsets":[[0,0],[0,0]],"dropped":0}

                """)
        #expect(try Program.run("tokenize", "--ids-only", "Cats").text == "[2,58,77,3]\n")
        let cut = try Program.run("tokenize", "--max-tokens", "3", "--truncation", "left", "Cats")
        #expect(cut.text.contains(###""tokens":["[CLS]","##s","[SEP]"]"###))
        #expect(cut.text.contains(#""dropped":1"#))
    }

    @Test func similarityIsANumber() throws {
        let same = try Program.run("similarity", "a cat", "a cat")
        #expect(same.text == "1.000000\n")
        let other = try #require(
            Double(try Program.run("similarity", "a cat", "hello").lines[0]))
        #expect(other < 0.999 && other >= -1)
    }

    @Test func aTraceHoldsEveryStage() throws {
        let directory = try TemporaryDirectory()
        let out = directory.path("trace.safetensors")
        #expect(try Program.run("trace", "hello world", out).status == 0)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: out))
        let length = bytes.prefix(8).enumerated().reduce(0) {
            $0 + Int($1.element) << (8 * $1.offset)
        }
        let header = try JSONValue(parsing: Array(bytes[8..<8 + length]))
        for name in [
            "ids", "hidden.0", "hidden.2", "qkv.1", "attention.0", "context.0", "intermediate.1",
        ] {
            #expect(header[name] != nil, "\(name)")
        }
        #expect(header["attention.0"]?["shape"] == .array([.integer(4), .integer(4), .integer(4)]))
    }

    @Test(
        arguments: [
            "embed", "similarity", "tokenize", "serve", "convert", "info", "verify", "compare",
            "trace",
        ])
    func everyCommandHasHelp(command: String) throws {
        let result = try Program.run(command, "--help")
        #expect(result.status == 0)
        #expect(result.text.hasPrefix("OVERVIEW: "))
        #expect(result.text.contains("USAGE: minilm \(command)"))
    }
}
