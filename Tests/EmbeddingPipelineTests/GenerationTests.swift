import EmbeddingPipeline
import Foundation
import GRDB
import Testing

@Suite struct GenerationTests {
    private let old = FakeEmbedder("model-a")
    private let new = FakeEmbedder("model-b", dimension: 8)

    private var small: ContentProcessor.Options {
        var options = ContentProcessor.Options()
        options.batchSize = 10
        return options
    }

    private func prepare(_ count: Int = 120) throws -> (TestLibrary, Int64) {
        let test = try TestLibrary()
        let material = try test.material(TestLibrary.texts(count))
        _ = try test.processor(old).processChunks(.init(.all))
        return (test, material)
    }

    private func search(_ test: TestLibrary, _ embedder: FakeEmbedder, _ text: String) throws
        -> [SearchHit]
    {
        try test.library.search(embedder.vector(text), embedder.model, count: 3)
    }

    @Test func afterANewModelAllIsStale() throws {
        let (test, _) = try prepare()
        let statistics = try test.library.statistics(.all, new.model)
        #expect(statistics.chunks.staleCount == 120 && statistics.chunks.currentCount == 0)
        #expect(statistics.chunks.completedCount == 120)
        #expect(try test.library.statistics(.all, old.model).chunks.staleCount == 0)
    }

    @Test func searchGoesOnWithTheOldVectorsUntilAllAreNew() throws {
        let (test, _) = try prepare()
        let expected = try search(test, old, "text 17")
        #expect(expected.first?.text == "text 17")
        let stop = StopFlag()
        let half = FakeEmbedder("model-b", dimension: 8, onEmbed: { _ in stop.count(after: 3) })
        let stopped = try test.processor(half).processChunks(
            .init(.all), small, isStopRequested: { stop.isSet })
        #expect(stopped.isStopped && (1..<120).contains(stopped.completedCount))
        #expect(try search(test, old, "text 17") == expected)
        #expect(throws: PipelineError.otherModel(library: "model-a", given: "model-b")) {
            try search(test, new, "text 17")
        }
        #expect(try test.library.generation().isChanging)

        _ = try test.processor(new).processChunks(.init(.all))
        #expect(try !test.library.generation().isChanging)
        #expect(try search(test, new, "text 17").first?.text == "text 17")
        #expect(throws: PipelineError.otherModel(library: "model-b", given: "model-a")) {
            try search(test, old, "text 17")
        }
        let left = try test.library.read { db in
            try Int.fetchOne(db, sql: "SELECT count(*) FROM previous_embeddings")
        }
        #expect(left == 0)
    }

    @Test func whoGoesBackGetsTheOldVectorsWithNoWork() throws {
        let (test, material) = try prepare()
        let stop = StopFlag()
        let half = FakeEmbedder("model-b", dimension: 8, onEmbed: { _ in stop.count(after: 3) })
        _ = try test.processor(half).processChunks(
            .init(.all), small, isStopRequested: { stop.isSet })
        let before = old.texts.count
        _ = try test.processor(old).processChunks(.init(.all))
        #expect(old.texts.count == before)
        for chunk in try test.library.chunks(materialID: material) {
            #expect(chunk.embedding == StoredVector.data(old.vector(chunk.text)))
        }
        #expect(try !test.library.generation().isChanging)
    }

    @Test func aChunkThatFailsHoldsUpTheNewModelUnlessThatIsAccepted() throws {
        let (test, material) = try prepare()
        new.failPassing("text 7", times: 3)
        _ = try test.processor(new).processChunks(.init(.all))
        #expect(try test.library.generation().isChanging)
        #expect(try search(test, old, "text 7").first?.text == "text 7")
        var accepting = ContentProcessor.Options()
        accepting.acceptsFailures = true
        _ = try test.processor(new).processChunks(.init(.all), accepting)
        #expect(try !test.library.generation().isChanging)
        #expect(try test.library.chunks(materialID: material)[7].embeddingStatus == .failed)
        #expect(try search(test, new, "text 7").allSatisfy { $0.text != "text 7" })
        _ = try test.processor(new).processChunks(.init(.all))
        #expect(try search(test, new, "text 7").first?.text == "text 7")
    }

    @Test func aThirdModelMayComeBeforeTheSecondIsComplete() throws {
        let (test, _) = try prepare()
        let stop = StopFlag()
        let half = FakeEmbedder("model-b", dimension: 8, onEmbed: { _ in stop.count(after: 3) })
        _ = try test.processor(half).processChunks(
            .init(.all), small, isStopRequested: { stop.isSet })
        let expected = try search(test, old, "text 3")
        let third = FakeEmbedder("model-c")
        let stopThird = StopFlag()
        let thirdHalf = FakeEmbedder("model-c", onEmbed: { _ in stopThird.count(after: 5) })
        _ = try test.processor(thirdHalf).processChunks(
            .init(.all), small, isStopRequested: { stopThird.isSet })
        #expect(try search(test, old, "text 3") == expected)
        _ = try test.processor(third).processChunks(.init(.all))
        #expect(try search(test, third, "text 3").first?.text == "text 3")
    }
}
