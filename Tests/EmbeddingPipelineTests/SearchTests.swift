import EmbeddingPipeline
import TestSupport
import Testing

@Suite struct SearchTests {
    private let embedder = FakeEmbedder(dimension: 37)

    @Test func theBestAreThoseOfAFullComparison() throws {
        let test = try TestLibrary()
        let texts = TestLibrary.texts(300)
        _ = try test.material(texts)
        _ = try test.material(TestLibrary.texts(50, prefix: "foreign"), subject: "other")
        _ = try test.processor(embedder).processChunks(.init(.all))
        let subject = try test.library.subject("subject")
        for query in ["text 5", "nowhere", "else"] {
            let vector = embedder.vector(query)
            let expected = texts.map { text in
                (text, zip(vector, embedder.vector(text)).reduce(0) { $0 + $1.0 * $1.1 })
            }.sorted { $0.1 > $1.1 }
            let hits = try test.library.search(
                vector, embedder.model, subjectID: subject.id, count: 10)
            #expect(hits.map(\.text) == expected.prefix(10).map(\.0))
            for (hit, expected) in zip(hits, expected) {
                #expect(abs(hit.score - expected.1) < 1e-6)
            }
        }
        #expect(
            try test.library.search(embedder.vector("x"), embedder.model, count: 1000).count == 350)
    }

    @Test func equalScoresComeInTheOrderTheyWereAdded() throws {
        let test = try TestLibrary()
        _ = try test.material(["a", "same", "b", "same", "same"])
        _ = try test.processor(embedder).processChunks(.init(.all))
        let hits = try test.library.search(embedder.vector("same"), embedder.model, count: 3)
        #expect(hits.map(\.ordinal) == [1, 3, 4])
    }

    @Test func anEmptyLibraryHasNoVectors() throws {
        let test = try TestLibrary()
        #expect(throws: PipelineError.noVectors) {
            try test.library.search(embedder.vector("x"), embedder.model, count: 1)
        }
    }
}
