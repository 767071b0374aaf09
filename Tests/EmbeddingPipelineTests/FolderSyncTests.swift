import EmbeddingPipeline
import Foundation
import TestSupport
import Testing

@Suite struct FolderSyncTests {
    private let test: TestLibrary
    private let folder: TemporaryDirectory
    private let subject: Int64
    private let sync: FolderSync

    init() throws {
        test = try TestLibrary()
        folder = try TemporaryDirectory()
        subject = try test.library.addSubject("s").id!
        let model = try TinyModel.embedder().model
        sync = FolderSync(test.library, MaterialProcessor(test.library, model: model))
    }

    private func listing(_ names: [String]) -> FolderSync.Listing {
        FolderSync.Listing(
            folder: folder.url.path,
            files: names.map { FolderSync.File(path: folder.path($0), title: $0) })
    }

    private func names(_ listing: FolderSync.Listing) throws -> [String] {
        try sync.plan(listing, subjectID: subject).map { "\($0.action.name) \($0.file.title)" }
    }

    private func run(_ listing: FolderSync.Listing) throws {
        for step in try sync.plan(listing, subjectID: subject) {
            _ = try sync.perform(step, subjectID: subject, queuesEmbeddings: false)
        }
    }

    private func write(_ name: String, _ text: String) throws {
        _ = try folder.write(name, text.utf8)
    }

    @Test func whatIsNewChangedAndGoneIsSeen() throws {
        for name in ["a.txt", "b.txt", "c.txt"] { try write(name, "text of \(name)") }
        let all = listing(["a.txt", "b.txt", "c.txt"])
        #expect(try names(all) == ["add a.txt", "add b.txt", "add c.txt"])
        try run(all)
        #expect(try names(all) == ["unchanged a.txt", "unchanged b.txt", "unchanged c.txt"])
        try write("b.txt", "another text")
        #expect(
            try names(listing(["a.txt", "b.txt"]))
                == ["unchanged a.txt", "update b.txt", "remove c.txt"])
        try run(listing(["a.txt", "b.txt"]))
        #expect(try test.library.materials().map(\.title) == ["a.txt", "b.txt"])
    }

    @Test func aPlanChangesNothing() throws {
        try write("a.txt", "text")
        _ = try names(listing(["a.txt"]))
        #expect(try test.library.materials().isEmpty)
    }

    @Test func whatWasMovedKeepsItsVectors() throws {
        try write("a.txt", "some text")
        try run(listing(["a.txt"]))
        let embedder = FakeEmbedder()
        _ = try test.processor(embedder).processChunks(.init(.all))
        let before = try test.library.materials()[0]
        try FileManager.default.moveItem(atPath: folder.path("a.txt"), toPath: folder.path("z.txt"))
        #expect(try names(listing(["z.txt"])) == ["move z.txt"])
        try run(listing(["z.txt"]))
        let after = try test.library.materials()
        #expect(after.map(\.id) == [before.id] && after[0].title == "z.txt")
        #expect(after[0].sourcePath == folder.path("z.txt"))
        #expect(after[0].processingStatus == .completed)
    }

    @Test func aFailureIsRememberedUntilTheFileChanges() throws {
        try write("a.json", "{\"a\": ")
        try run(listing(["a.json"]))
        let material = try test.library.materials()[0]
        #expect(material.processingStatus == .failed && material.failedHash != nil)
        #expect(try names(listing(["a.json"])) == ["failed a.json"])
        try write("a.json", "{\"a\": \"b\"}")
        #expect(try names(listing(["a.json"])) == ["update a.json"])
        try run(listing(["a.json"]))
        #expect(try test.library.materials()[0].processingStatus == .extracted)
    }

    @Test func picturesAndEmptyFilesArePassedOver() throws {
        try write("empty.txt", "")
        _ = try folder.write("a.png", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0])
        #expect(
            try names(listing(["a.png", "empty.txt"])) == [
                "pass over a.png", "pass over empty.txt",
            ])
    }

    @Test func materialsFromElsewhereAreLeftAlone() throws {
        let elsewhere = try TemporaryDirectory()
        _ = try test.library.addMaterial(
            subjectID: subject, title: "x", sourcePath: elsewhere.path("x.txt"))
        #expect(try names(listing([])).isEmpty)
    }

    @Test func whatCouldNotBeListedIsNotGone() throws {
        try FileManager.default.createDirectory(
            atPath: folder.path("sub"), withIntermediateDirectories: true)
        try write("sub/a.txt", "text")
        try run(listing(["sub/a.txt"]))
        var without = listing([])
        without.unlisted = [folder.path("sub")]
        #expect(try names(without).isEmpty)
        #expect(try names(listing([])) == ["remove sub/a.txt"])
    }

    @Test func theScopeLimitsWhatIsLookedAt() throws {
        for name in ["a.txt", "b.txt"] { try write(name, "text \(name)") }
        try run(listing(["a.txt", "b.txt"]))
        try write("a.txt", "changed")
        var only = listing(["a.txt"])
        only.scope = [folder.path("a.txt")]
        #expect(try names(only) == ["update a.txt"])
        only.scope = [folder.url.path]
        #expect(try names(only) == ["update a.txt", "remove b.txt"])
    }

    @Test func anotherWayToCutIsAChange() throws {
        try write("a.txt", String(repeating: "some words. ", count: 100))
        try run(listing(["a.txt"]))
        try test.library.setChunking(
            subjectID: subject, tokenCount: 16, overlapTokenCount: nil, contextTemplate: nil)
        #expect(try names(listing(["a.txt"])) == ["update a.txt"])
        try run(listing(["a.txt"]))
        #expect(try names(listing(["a.txt"])) == ["unchanged a.txt"])
        let chunks = try test.library.chunks(materialID: 1)
        #expect(chunks.count > 5 && chunks.allSatisfy { ($0.tokenCount ?? 99) <= 16 })
    }
}
