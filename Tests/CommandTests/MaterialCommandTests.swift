import Foundation
import JSON
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Files, folders and searches as a person meets them, with the small model.
@Suite struct MaterialCommandTests {
    private let directory: TemporaryDirectory
    private let folder: String

    init() throws {
        directory = try TemporaryDirectory()
        folder = directory.path("folder")
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
    }

    private func run(_ arguments: String...) throws -> Program.Result {
        try Program.run(
            arguments, environment: ["MINILM_LIBRARY": directory.path("library.sqlite")])
    }

    private func json(_ result: Program.Result) throws -> [JSONValue] {
        try result.lines.map { try JSONValue(parsing: Array($0.utf8)) }
    }

    private func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }

    private func document(_ name: String) -> String {
        TestFiles.fixture("documents/\(name)").path
    }

    @Test func aPassageIsFoundWithThePageItStandsOn() throws {
        let added = try run(
            "material", "add", document("river.pdf"), document("river.pptx"), "--subject", "s",
            "--create-subject", "--embed", "--quiet")
        #expect(added.status == 0, "\(added.errors)")
        for mode in ["keyword", "hybrid", "vector"] {
            let found = try run(
                "search", "storks follow the mowers", "--mode", mode, "--json", "--k", "20",
                "--type", "application/pdf")
            #expect(found.status == 0, "\(found.errors)")
            let hit = try #require(
                try json(found).first { $0["text"]?.string?.contains("Storks") == true }, "\(mode)")
            #expect(hit["place"]?["pages"]?.array?.last?.int == 2)
            #expect(hit["media_type"]?.string == "application/pdf")
        }
        let words = try run("search", "mowers", "--mode", "keyword", "--color", "always")
        #expect(words.text.contains("\u{1B}[1;33mmowers\u{1B}[0m"))
        #expect(words.text.contains("page") && words.text.contains("slide"))
        let shown = try run("material", "show", "1", "--json")
        #expect(try json(shown).last?["place"]?["pages"]?.array?.last?.int == 2)
        #expect(try run("material", "show", "1").text.contains("page"))
        let plain = try run("search", "mowers", "--mode", "keyword")
        #expect(!plain.text.contains("\u{1B}"))
    }

    /// Text cannot hold such a path, nor the system open one of more than 4096 bytes; they are named,
    /// not passed over in silence, and the rest goes on.
    @Test func whatCannotBeLookedAtIsNamed() throws {
        try write("good.txt", "Storks follow the mowers.")
        let root = open(folder, O_RDONLY | O_DIRECTORY)
        defer { close(root) }
        let name: [CChar] = "caf".utf8CString.dropLast() + [CChar(bitPattern: 0xE9), 0]
        close(openat(root, name, O_WRONLY | O_CREAT, 0o644))
        symlinkat("good.txt", root, "l".utf8CString.dropLast() + [CChar(bitPattern: 0xE9), 0])
        var deep = [root]
        let long = String(repeating: "d", count: 250)
        for _ in 0..<17 {
            mkdirat(deep.last!, long, 0o755)
            deep.append(openat(deep.last!, long, O_RDONLY | O_DIRECTORY))
        }
        defer {
            // Nobody else can remove it.
            for index in (1..<deep.count).reversed() {
                close(deep[index])
                unlinkat(deep[index - 1], long, AT_REMOVEDIR)
            }
        }
        for (arguments, summary) in [
            (["material", "add", folder], "1 files added"),
            (["material", "sync", folder], "add 1,"),
        ] {
            let result = try Program.run(
                arguments + ["--subject", "s", "--create-subject"],
                environment: ["MINILM_LIBRARY": directory.path("\(arguments[1]).sqlite")])
            #expect(result.errors.contains("/caf\\xE9: its name is not UTF-8"), "\(result.errors)")
            #expect(result.errors.contains("cannot be read: File name too long"))
            #expect(!result.errors.contains("/l\\xE9"))
            #expect(result.text.contains(summary), "\(result.text)")
            #expect(result.text.contains("2 failed") || result.text.contains("failed 2"))
            #expect(result.status == 1)
        }
    }

    @Test func aBadFileDoesNotHoldUpTheOthers() throws {
        let result = try run(
            "material", "add", document("hostile/entities.docx"), document("river.md"),
            document("hostile/hanging.pdf"), document("hostile/scan.pdf"), document("river.odt"),
            "--subject", "s", "--create-subject", "--file-timeout", "1")
        #expect(result.status == 1)
        for reason in ["XML declares entities", "no text layer", "took longer than the 1 s"] {
            #expect(result.errors.contains(reason), "\(result.errors)")
        }
        let materials = try json(try run("material", "list", "--json"))
        #expect(
            materials.map { $0["processing_status"]?.string } == [
                "failed", "extracted", "failed", "failed", "extracted",
            ])
    }

    @Test func aMissingToolFailsItsFilesOnly() throws {
        let result = try Program.run(
            [
                "material", "add", document("river.pdf"), document("river.md"), "--subject", "s",
                "--create-subject",
            ],
            environment: [
                "MINILM_LIBRARY": directory.path("library.sqlite"), "PATH": "/nonexistent",
            ])
        #expect(result.status == 1)
        let start = "minilm: pdftotext is not installed: PDF files will fail"
        #expect(result.errors.hasPrefix(start), "\(result.errors)")
        #expect(result.errors.contains("river.pdf: pdftotext is not installed"))
        #expect(result.errors.contains("apt-get install poppler-utils"))
        let materials = try json(try run("material", "list", "--json"))
        #expect(materials.map { $0["processing_status"]?.string } == ["failed", "extracted"])
    }

    /// Libraries are loaded by the first file that needs one.
    @Test func aMissingLibraryFailsItsFilesOnly() throws {
        let libraries = try directory.broken([
            "libgmime-3.0.so.0", "libarchive.so.13", "libxml2.so.2",
        ])
        let result = try Program.run(
            [
                "material", "add", document("river.eml"), document("river.odt"),
                document("river.html"), document("river.md"), "--subject", "s", "--create-subject",
            ],
            environment: [
                "MINILM_LIBRARY": directory.path("library.sqlite"), "LD_LIBRARY_PATH": libraries,
            ])
        #expect(result.status == 1)
        for (name, package) in [
            ("GMime", "libgmime-3.0-0"), ("libarchive", "libarchive13"), ("libxml2", "libxml2"),
        ] {
            let reason = "\(name) is not installed; as root: apt-get install \(package)"
            #expect(result.errors.contains(reason), "\(result.errors)")
        }
        let materials = try json(try run("material", "list", "--json"))
        #expect(
            materials.map { $0["processing_status"]?.string } == [
                "failed", "failed", "failed", "extracted",
            ])
    }

    @Test func aDryRunSaysWhatARunDoes() throws {
        try write("a.md", "# A\n\nText of the first.")
        try write("b.txt", "Text of the second.")
        let plan = try run(
            "material", "sync", folder, "--subject", "s", "--create-subject", "--dry-run", "--json")
        #expect(plan.status == 0, "\(plan.errors)")
        #expect(try json(plan).map { $0["action"]?.string } == ["add", "add"])
        #expect(!FileManager.default.fileExists(atPath: directory.path("library.sqlite")))
        let first = try run(
            "material", "sync", folder, "--subject", "s", "--create-subject", "--json")
        #expect(first.status == 0, "\(first.errors)")
        try write("b.txt", "Another text.")
        try FileManager.default.removeItem(atPath: "\(folder)/a.md")
        try write("c.txt", "Text of the third.")
        let next = try run("material", "sync", folder, "--subject", "s", "--dry-run", "--json")
        let actions = try json(next).map { $0["action"]?.string }
        #expect(actions == ["update", "add", "remove"])
        let done = try run("material", "sync", folder, "--subject", "s", "--json")
        #expect(try json(done).map { $0["action"]?.string } == actions)
        let again = try run("material", "sync", folder, "--subject", "s", "--json")
        #expect(again.lines.isEmpty && again.status == 0)
    }

    @Test func aFolderThatIsGoneRemovesNothing() throws {
        let result = try run("material", "sync", folder + "/none", "--subject", "s")
        #expect(result.status == 66 && result.errors.contains("no such folder"))
    }

    @Test(.timeLimit(.minutes(1)))
    func aWatchFollowsTheFolder() throws {
        try write("a.txt", "The first text.")
        let process = Process()
        process.executableURL = TestFiles.program
        process.arguments = [
            "material", "sync", folder, "--subject", "s", "--create-subject", "--watch", "--json",
        ]
        process.environment = ProcessInfo.processInfo.environment.merging([
            "MINILM_MODEL": TinyModel.path, "MINILM_LIBRARY": directory.path("library.sqlite"),
        ]) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer { process.terminate() }
        var seen = ""
        func wait(for text: String) throws {
            while !seen.contains(text) {
                let data = output.fileHandleForReading.availableData
                try #require(!data.isEmpty, "ended before \(text)")
                seen += String(decoding: data, as: UTF8.self)
            }
        }
        try wait(for: "folder/a.txt")
        try FileManager.default.createDirectory(
            atPath: "\(folder)/sub", withIntermediateDirectories: true)
        try write("sub/b.txt", "The second text.")
        try wait(for: "sub/b.txt")
        try FileManager.default.removeItem(atPath: "\(folder)/a.txt")
        try wait(for: "\"remove\"")
        process.interrupt()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let titles = try json(try run("material", "list", "--json")).map { $0["title"]?.string }
        #expect(titles == ["sub/b.txt"])
    }
}
