import Foundation
import TestSupport
import Testing
import TextExtraction

/// Documents of other programs' test suites, which stand beside the checkout on some machines: what
/// each gives.
@Suite(
    .enabled(
        if: RealModel.isPresent && TestFiles.shared("data/documents") != nil,
        "needs the model and ../shared/data/documents"))
struct SharedDocumentTests {
    enum Outcome: Sendable {
        /// Of the model's window.
        case text(MediaType, chunks: Int)
        case failure(ExtractionError)
    }

    static let table: [(String, Outcome)] = [
        ("csv/tika-testCSV.csv", .text(.csv, chunks: 1)),
        ("docx/mammoth-comments.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-embedded-style-map.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-empty.docx", .failure(.noText(.docx))),
        ("docx/mammoth-endnotes.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-external-picture.docx", .failure(.noText(.docx))),
        ("docx/mammoth-footnote-hyperlink.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-footnotes.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-simple-list.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-single-paragraph.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-strict-format.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-strikethrough.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-tables.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-text-box.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-tiny-picture-target-base-relative.docx", .failure(.noText(.docx))),
        ("docx/mammoth-tiny-picture.docx", .failure(.noText(.docx))),
        ("docx/mammoth-underline.docx", .text(.docx, chunks: 1)),
        ("docx/mammoth-utf8-bom.docx", .text(.docx, chunks: 1)),
        ("docx/python-docx-blk-inner-content.docx", .text(.docx, chunks: 1)),
        ("docx/python-docx-having-images.docx", .failure(.noText(.docx))),
        ("docx/python-docx-test.docx", .text(.docx, chunks: 1)),
        ("eml/tika-testRFC822_multipart_attachments.eml", .text(.email, chunks: 1)),
        ("epub/tika-testEPUB.epub", .text(.epub, chunks: 1)),
        ("html/pypdf-habibi.html", .text(.html, chunks: 1)),
        ("html/tika-testHTML_charset_utf16le.html", .text(.html, chunks: 1)),
        ("html/tika-testHTML_utf8.html", .text(.html, chunks: 1)),
        ("md/commonmark-spec.txt", .text(.plainText, chunks: 438)),
        ("md/tika-testMARKDOWN.md", .text(.markdown, chunks: 1)),
        ("pdf/pypdf-002-trivial-libre-office-writer.pdf", .text(.pdf, chunks: 1)),
        ("pdf/pypdf-crazyones-pdfa.pdf", .text(.pdf, chunks: 1)),
        ("pdf/pypdf-google-doc-document.pdf", .text(.pdf, chunks: 1)),
        ("pdf/pypdf-habibi.pdf", .text(.pdf, chunks: 1)),
        ("pdf/pypdf-imagemagick-images.pdf", .failure(.noTextLayer(pages: 6))),
        ("pdf/pypdf-libreoffice-writer-password.pdf", .failure(.encrypted)),
        ("pdf/pypdf-minimal-document.pdf", .text(.pdf, chunks: 1)),
        ("pdf/pypdf-multicolumn.pdf", .text(.pdf, chunks: 13)),
        ("pdf/pypdf-pdflatex-4-pages.pdf", .text(.pdf, chunks: 15)),
        ("pdf/pypdf-pdflatex-outline.pdf", .text(.pdf, chunks: 9)),
        ("pdf/pypdf-with-attachment.pdf", .text(.pdf, chunks: 1)),
        ("pptx/python-pptx-minimal.pptx", .failure(.noText(.pptx))),
        ("pptx/python-pptx-missing_rels_item.pptx", .text(.pptx, chunks: 1)),
        ("pptx/python-pptx-no-slides.pptx", .failure(.noText(.pptx))),
        ("pptx/python-pptx-sld-notes.pptx", .text(.pptx, chunks: 1)),
        ("pptx/python-pptx-test.pptx", .text(.pptx, chunks: 1)),
        ("pptx/python-pptx-test_slides.pptx", .text(.pptx, chunks: 1)),
    ]

    @Test(arguments: table)
    func eachGivesItsTextOrAClearError(name: String, outcome: Outcome) throws {
        let folder = try #require(TestFiles.shared("data/documents"))
        let path = folder.appending(path: name).path
        switch outcome {
        case .failure(let error):
            #expect(throws: error) { try TextExtractor().extract(path: path) }
        case .text(let type, let count):
            let extracted = try TextExtractor().extract(path: path)
            #expect(extracted.mediaType == type)
            let chunker = Chunker(tokenizer: try TestTokenizers.best(), maximumTokenCount: 256)
            let chunks = chunker.chunks(of: extracted)
            #expect(chunks.count == count)
            #expect(chunks.allSatisfy { $0.tokenCount <= 256 })
        }
    }

    @Test func theTableHasEveryDocument() throws {
        let folder = try #require(TestFiles.shared("data/documents"))
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            .filter { $0.contains(".") }
        #expect(Set(names) == Set(Self.table.map(\.0)))
    }

    /// Read by eye from the documents; what a web page hides is not in it.
    @Test(
        arguments: [
            (
                "docx/mammoth-footnotes.docx",
                ["Ouch.", "A tachyon walks into a bar.", "Fin."], []
            ),
            (
                "docx/mammoth-tables.docx", ["Top left | Top right", "Bottom left | Bottom right"],
                []
            ),
            ("docx/mammoth-text-box.docx", ["Datum plane"], []),
            (
                "epub/tika-testEPUB.epub", ["This is the text for chapter One", "Second item"],
                ["sgc-2", "nor here", "nothing to see"]
            ),
            ("eml/tika-testRFC822_multipart_attachments.eml", ["Bugs Bunny", "EML 1"], []),
            (
                "pptx/python-pptx-test_slides.pptx",
                ["Group test text", "Cell text 1 | Cell text 2"], []
            ),
            ("pptx/python-pptx-sld-notes.pptx", ["Notes"], []),
            ("html/tika-testHTML_utf8.html", ["\u{E5}\u{E4}\u{F6}"], []),
            ("csv/tika-testCSV.csv", ["Number; Square", "5; 25"], []),
            ("pdf/pypdf-crazyones-pdfa.pdf", ["The misfits. The rebels. The troublemakers."], []),
            ("md/tika-testMARKDOWN.md", ["Some **bold** and *italic*"], []),
        ] as [(String, [String], [String])])
    func theTextIsThatOfTheDocument(name: String, held: [String], hidden: [String]) throws {
        let folder = try #require(TestFiles.shared("data/documents"))
        let text = try TextExtractor().extract(path: folder.appending(path: name).path).text
            .split { $0.isWhitespace }.joined(separator: " ")
        for part in held { #expect(text.contains(part), "\(part)") }
        for part in hidden { #expect(!text.contains(part), "\(part)") }
    }
}
