import EmbeddingPipeline
import Foundation
import TestSupport
import Testing
import TextExtraction

@Suite struct MaterialTests {
    @Test func anEditKeepsWhatItDidNotTouch() throws {
        let test = try TestLibrary()
        let embedder = FakeEmbedder()
        let material = try test.material(TestLibrary.texts(20))
        _ = try test.processor(embedder).processChunks(.init(.all))
        let before = try test.library.chunks(materialID: material)
        var texts = TestLibrary.texts(20)
        texts.remove(at: 3)
        texts[10] = "edited"
        texts.swapAt(0, 15)
        texts.append("text 4")
        let changes = try test.library.replaceChunks(
            materialID: material, TestLibrary.drafts(texts))
        #expect(changes.keptCount == 18 && changes.addedCount == 2 && changes.removedCount == 2)
        let after = try test.library.chunks(materialID: material)
        #expect(after.map(\.text) == texts)
        #expect(after.map(\.ordinal) == Array(texts.indices))
        for chunk in after where chunk.text != "edited" {
            guard let old = before.first(where: { $0.id == chunk.id }) else { continue }
            #expect(chunk.embedding == old.embedding && chunk.embeddingStatus == .completed)
        }
        #expect(try test.library.material(id: material).processingStatus == .extracted)
        _ = try test.processor(embedder).processChunks(.init(.all))
        // The second "text 4" is served by the first.
        #expect(embedder.texts.dropFirst(20) == ["edited"])
        #expect(try test.library.material(id: material).processingStatus == .completed)
    }

    private func processor(_ test: TestLibrary) throws -> MaterialProcessor {
        let model = try TinyModel.embedder().model
        return MaterialProcessor(test.library, model: model)
    }

    @Test func aFileBecomesChunksThatFitTheWindow() throws {
        let test = try TestLibrary()
        let subject = try test.library.addSubject("s").id!
        let text = (0..<300).map { "Sentence \($0) of the text. " }.joined()
        let path = try test.directory.write("notes.md", Data(text.utf8))
        let processor = try processor(test)
        let addition = try processor.add(
            path: path, title: "notes.md", subjectID: subject, recordsFailure: true)
        #expect(addition.isNew)
        let material = try test.library.material(id: addition.materialID!)
        #expect(material.mediaType == "text/markdown" && material.contentHash?.count == 64)
        #expect(material.processingStatus == .extracted)
        let model = try TinyModel.embedder().model
        let chunks = try test.library.chunks(materialID: material.id!)
        #expect(chunks.count > 1)
        let bytes = Array(text.utf8)
        for chunk in chunks {
            let count = model.tokenizer.tokenCount(chunk.text)
            #expect(count == chunk.tokenCount)
            #expect(count <= model.settings.maximumTokenCount)
            let range = chunk.byteStart!..<chunk.byteEnd!
            #expect(String(decoding: bytes[range], as: UTF8.self) == chunk.text)
        }
        // Added again it is the same material; only a changed file is read anew.
        let again = try processor.add(
            path: path, title: "notes.md", subjectID: subject, recordsFailure: true)
        #expect(again.materialID == material.id && again.outcome == .unchanged)
        _ = try test.directory.write("notes.md", Data((text + "One more.").utf8))
        guard case .extracted(let changes) = try processor.extract(materialID: material.id!)
        else {
            Issue.record("not read anew")
            return
        }
        #expect(changes.keptCount == chunks.count - 1)
    }

    @Test func aFileThatGivesNoTextIsAFailedMaterial() throws {
        let test = try TestLibrary()
        let subject = try test.library.addSubject("s").id!
        let path = try test.directory.write("binary.txt", [0, 1, 2, 0])
        let processor = try processor(test)
        let passed = try processor.add(
            path: path, title: "b", subjectID: subject, recordsFailure: false)
        #expect(passed.materialID == nil && passed.outcome == .failed(.binary))
        let failed = try processor.add(
            path: path, title: "b", subjectID: subject, recordsFailure: true)
        let material = try test.library.material(id: failed.materialID!)
        #expect(material.processingStatus == .failed)
        #expect(material.lastError == ExtractionError.binary.description)
        // Mended, it is read.
        _ = try test.directory.write("binary.txt", Data("text".utf8))
        _ = try processor.extract(materialID: material.id!)
        #expect(try test.library.material(id: material.id!).processingStatus == .extracted)
    }

    @Test func removingTakesChunksAndTasksAlong() throws {
        let test = try TestLibrary()
        let material = try test.material(TestLibrary.texts(3))
        let chunk = try test.library.chunks(materialID: material)[0].id!
        try test.library.enqueue(.processMaterial, material)
        try test.library.enqueue(.generateChunkEmbedding, chunk)
        try test.library.removeMaterial(id: material)
        #expect(throws: PipelineError.noSuchMaterial(material)) {
            try test.library.material(id: material)
        }
        #expect(throws: PipelineError.noSuchChunk(chunk)) { try test.library.chunk(id: chunk) }
        #expect(try test.library.taskCounts() == [:])
        let subject = try test.library.subject("subject")
        try test.library.removeSubject(id: subject.id!)
        #expect(try test.library.subjects().isEmpty)
        #expect(throws: PipelineError.noSuchSubject("\(subject.id!)")) {
            try test.library.removeSubject(id: subject.id!)
        }
    }

    @Test func subjectsAreFoundByNameAndNumber() throws {
        let test = try TestLibrary()
        let first = try test.library.addSubject("history")
        let second = try test.library.addSubject("\(first.id!)")
        #expect(try test.library.subject("history") == first)
        // A name goes before a number.
        #expect(try test.library.subject("\(first.id!)") == second)
        #expect(try test.library.subject("\(second.id!)") == second)
        #expect(throws: PipelineError.subjectExists("history")) {
            try test.library.addSubject("history")
        }
        #expect(throws: PipelineError.emptyName) { try test.library.addSubject(" \n") }
    }

    @Test func aChunkDescribesItsStatusAndNotItsText() throws {
        let test = try TestLibrary()
        let material = try test.material(["secret"])
        var chunk = try test.library.chunks(materialID: material)[0]
        #expect(chunk.description == "chunk 1 (0 of material 1, pending)")
        #expect(!chunk.hasEmbedding())
        let later = test.clock.now + 5
        chunk.markEmbeddingFailed("no luck", at: later)
        #expect(chunk.description == "chunk 1 (0 of material 1, failed: no luck)")
        #expect(chunk.updatedAt == later)
        chunk.markEmbeddingCompleted([0, 1, 0, 0], fingerprint: "f", at: later + 1)
        #expect(chunk.hasEmbedding(dimension: 4) && !chunk.hasEmbedding(dimension: 5))
        #expect(chunk.updatedAt == later + 1 && chunk.lastError == nil)
        #expect(chunk.embeddingStatus == .completed)
    }

    @Test(
        arguments: [
            ([1, 0, 0, 0], true), ([0.6, 0.8, 0, 0], true), ([], false), ([1, 1, 0, 0], false),
            ([.nan, 0, 0, 0], false), ([.infinity, 0, 0, 0], false), ([0, 0, 0, 0], false),
            ([1, 0, 0], false),
        ] as [([Float], Bool)])
    func aVectorIsValidWhenItIsWholeFiniteAndOfUnitLength(vector: [Float], isValid: Bool) {
        let data = StoredVector.data(vector)
        #expect(StoredVector.isValid(data, dimension: 4, isUnit: true) == isValid)
        #expect(!StoredVector.isValid(data + [0], dimension: nil, isUnit: true))
        #expect(StoredVector.elements(data)?.count == vector.count)
    }
}
