import Foundation
import TestSupport
import Testing
import TextExtraction

/// Each of these is refused for its own reason, soon.
@Suite struct HostileDocumentTests {
    private static let limits = {
        var limits = ExtractionLimits()
        limits.unpackedByteCount = 1 << 20
        limits.archiveEntryCount = 200
        limits.pageCount = 20
        limits.duration = .seconds(2)
        return limits
    }()

    private func extract(_ name: String) throws -> ExtractedText {
        try TextExtractor(limits: Self.limits)
            .extract(path: DocumentTests.path("hostile/\(name)"))
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("bomb.docx", .unpacksTooLarge(limit: 1 << 20)),
            ("entities.docx", .entityDeclarations), ("external.docx", .entityDeclarations),
            ("traversal.docx", .unsafeArchivePath), ("crowd.docx", .tooManyEntries(limit: 200)),
            ("scan.pdf", .noTextLayer(pages: 1)), ("pages.pdf", .tooManyPages(limit: 20)),
            ("hanging.pdf", .tookTooLong(seconds: 2)), ("locked.odt", .encrypted),
            ("locked.epub", .encrypted),
        ] as [(String, ExtractionError)])
    func eachHasItsOwnReason(name: String, error: ExtractionError) {
        #expect(throws: error) { try extract(name) }
    }

    @Test(arguments: ["cut.pdf", "cut.docx", "broken.docx"])
    func whatIsDamagedIsSaidToBe(name: String) throws {
        do {
            _ = try extract(name)
            Issue.record("read as if it were whole")
        } catch ExtractionError.damaged(let type, let reason) {
            #expect(type == (name.hasSuffix("pdf") ? .pdf : .docx))
            #expect(!reason.isEmpty && !reason.contains("/"))
        }
    }

    @Test func aToolThatNeedsTooMuchMemoryIsEnded() throws {
        var limits = Self.limits
        limits.toolByteCount = 8 << 20
        #expect(throws: ExtractionError.self) {
            try TextExtractor(limits: limits).extract(path: DocumentTests.path("river.pdf"))
        }
    }

    @Test func aToolThatIsNotInstalledIsNamedWithItsPackage() throws {
        let message = ExtractionError.missingTool(
            tool: "pdftotext", package: "poppler-utils"
        ).description
        #expect(message.contains("apt-get install poppler-utils"))
    }

    @Test func aStopEndsAnExtraction() {
        var limits = Self.limits
        limits.duration = .seconds(60)
        limits.isStopRequested = { true }
        #expect(throws: ExtractionError.stopped) {
            try TextExtractor(limits: limits)
                .extract(path: DocumentTests.path("hostile/hanging.pdf"))
        }
    }

    @Test func deepNestingIsBounded() throws {
        let directory = try TemporaryDirectory()
        let html = String(repeating: "<div>", count: 50_000) + "<p>Deep text"
        let path = try directory.write("deep.html", html.utf8)
        _ = try TextExtractor().extract(path: path)
        let json = try directory.write("deep.json", String(repeating: "[", count: 100_000).utf8)
        #expect(throws: ExtractionError.self) { try TextExtractor().extract(path: json) }
    }
}
