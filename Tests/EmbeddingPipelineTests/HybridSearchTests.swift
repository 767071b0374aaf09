import EmbeddingPipeline
import Foundation
import GRDB
import TestSupport
import Testing
import TextExtraction

@Suite struct HybridSearchTests {
    private let embedder = FakeEmbedder(dimension: 24)

    private func query(
        _ text: String, _ mode: SearchQuery.Mode, count: Int = 10,
        _ change: (inout SearchFilter) -> Void = { _ in }
    ) -> SearchQuery {
        var query = SearchQuery(
            text: text, mode: mode, vector: embedder.vector(text), model: embedder.model,
            count: count)
        change(&query.filter)
        return query
    }

    private static let texts = [
        "The kingfisher dives into the brook.", "A heron waits in the reeds.",
        "Herons and kingfishers both eat fish.", "Nothing about birds here.",
    ]

    private func library() throws -> TestLibrary {
        let test = try TestLibrary()
        _ = try test.material(Self.texts)
        _ = try test.processor(embedder).processChunks(.init(.all))
        return test
    }

    @Test func wordsAreFoundByTheirStemsAndMarked() throws {
        let test = try library()
        let hits = try test.library.search(query("heron", .keyword))
        #expect(Set(hits.map(\.ordinal)) == [1, 2])
        #expect(hits.map(\.keywordRank) == [1, 2] && hits.allSatisfy { $0.vectorRank == nil })
        let hit = try #require(hits.first { $0.ordinal == 2 })
        let utf8 = Array(hit.text.utf8)
        #expect(hit.matches.map { String(decoding: utf8[$0], as: UTF8.self) } == ["Herons"])
    }

    @Test(arguments: [
        ("\"both eat\" heron", [2]), ("\"eat both\"", []), ("what is the brook?", [0]),
        ("the", [0, 1]), ("AND OR NOT (", [2]), ("\"\" * ^ :", []), ("\"unclosed brook", [0]),
        ("col:brook NEAR(heron)", [0, 1, 2]), ("", []),
    ])
    func anyQueryIsTakenAsWords(text: String, ordinals: [Int]) throws {
        let test = try library()
        let hits = try test.library.search(query(text, .keyword))
        #expect(Set(hits.map(\.ordinal)) == Set(ordinals), "\(text)")
    }

    @Test func fusionRanksWhatBothFindFirst() throws {
        let test = try library()
        let text = Self.texts[1]
        let hits = try test.library.search(query(text, .hybrid))
        #expect(hits.first?.text == text)
        #expect(hits.first?.vectorRank == 1 && hits.first?.keywordRank == 1)
        #expect(abs((hits.first?.score ?? 0) - Float(2) / 61) < 1e-7)
        #expect(hits.count == 4)
        #expect(hits.map(\.score) == hits.map(\.score).sorted(by: >))
    }

    @Test func fusionDoesWithoutVectorsWhereThereAreNone() throws {
        let test = try TestLibrary()
        _ = try test.material(Self.texts)
        #expect(try test.library.search(query("brook", .hybrid)).map(\.ordinal) == [0])
    }

    @Test func filtersHoldForEveryMode() throws {
        let test = try library()
        let other = try test.material(["A heron of another subject."], subject: "other")
        try test.library.write { db in
            try db.execute(
                sql: """
                    UPDATE materials SET media_type = 'application/pdf', source_path = '/a/b.pdf'
                    WHERE id = ?
                    """, arguments: [other])
        }
        _ = try test.processor(embedder).processChunks(.init(.all))
        let subject = try test.library.subject("other").id!
        let changes: [(inout SearchFilter) -> Void] = [
            { $0.subjectIDs = [subject] }, { $0.materialIDs = [other] },
            { $0.mediaTypes = ["text/", "application/pdf"] }, { $0.pathPattern = "/a/*.pdf" },
        ]
        for mode in SearchQuery.Mode.allCases {
            #expect(try test.library.search(query("heron", mode)).count > 1)
            for change in changes {
                let hits = try test.library.search(query("heron", mode, change))
                #expect(hits.map(\.materialID) == [other], "\(mode)")
            }
        }
    }

    @Test func placesReachTheHit() throws {
        let test = try TestLibrary()
        let material = try test.material([])
        let place = SourcePlace(pages: 3...4, headings: ["One", "Two"])
        try test.library.replaceChunks(
            materialID: material,
            [
                ChunkDraft(
                    text: "brook", tokenCount: 3, context: "One > Two\n", byteRange: 5..<10,
                    place: place)
            ])
        let hit = try #require(try test.library.search(query("brook", .keyword)).first)
        #expect(hit.place == place && hit.page == 3 && hit.byteRange == 5..<10)
        #expect(place.label == "pages 3–4")
        let chunk = try test.library.chunks(materialID: material)[0]
        #expect(chunk.textHash == TextHash.of("One > Two\nbrook") && chunk.page == 3)
        // What is embedded is context and text.
        _ = try test.processor(embedder).processChunks(.init(.all))
        #expect(embedder.texts == ["One > Two\nbrook"])
        // Words of the headings find it too.
        #expect(try test.library.search(query("two", .keyword)).count == 1)
    }

    @Test func theMatrixFollowsTheLibrary() throws {
        let test = try library()
        let path = test.path + "-vectors"
        func check(_ library: Library, _ comment: Comment) throws {
            let all = try library.read { db in
                try Row.fetchAll(
                    db,
                    sql: """
                        SELECT id, text FROM content_chunks WHERE embedding_status = 'completed'
                        """)
            }
            let vector = embedder.vector("a query")
            let expected = all.map { row in
                let stored = embedder.vector(row["text"])
                return (
                    row["id"] as Int64, zip(vector, stored).reduce(Float(0)) { $0 + $1.0 * $1.1 }
                )
            }.sorted { $0.1 > $1.1 }
            let hits = try library.search(vector, embedder.model, count: 5000)
            #expect(hits.map(\.chunkID) == expected.map(\.0), comment)
            #expect(FileManager.default.fileExists(atPath: path))
        }
        try check(test.library, "made")
        let many = try test.material(TestLibrary.texts(500), subject: "many")
        try check(test.library, "with chunks that wait")
        _ = try test.processor(embedder).processChunks(.init(.all))
        try check(test.library, "added")
        try test.library.replaceChunks(
            materialID: many, TestLibrary.drafts(TestLibrary.texts(400) + ["new", "newer"]))
        try check(test.library, "removed")
        _ = try test.processor(embedder).processChunks(.init(.all))
        try check(test.library, "in freed rows")
        let other = try test.again()
        try check(other, "by another process")
        try other.removeMaterial(id: many)
        try check(test.library, "after another's change")
        try Data("rubbish".utf8).write(to: URL(fileURLWithPath: path))
        try check(test.library, "damaged")
        try FileManager.default.removeItem(atPath: path)
        try check(test.library, "gone")
    }

    @Test func theMatrixOfAnotherLibraryIsNotUsed() throws {
        let (first, second) = (try library(), try TestLibrary())
        _ = try second.material(["of the second"])
        _ = try second.processor(embedder).processChunks(.init(.all))
        let vector = embedder.vector("x")
        _ = try first.library.search(vector, embedder.model, count: 1)
        try FileManager.default.copyItem(
            atPath: first.path + "-vectors", toPath: second.path + "-vectors")
        let hits = try second.library.search(vector, embedder.model, count: 10)
        #expect(hits.map(\.text) == ["of the second"])
    }
}
