import EmbeddingPipeline
import Foundation
import GRDB
import Testing

@Suite struct ClaimTests {
    private let model = FakeEmbedder().model

    private func claim(
        _ library: Library, _ ids: [Int64], isAlone: Bool = false
    ) throws -> Claim? {
        var ids = ids[...]
        return try library.write { db in
            try library.claim(db, limit: ids.count, .any, model, isAlone: isAlone) {
                ids.popFirst()
            }.0
        }
    }

    private func settle(
        _ library: Library, _ claim: Claim, _ outcomes: [ChunkOutcome]
    ) throws -> ChunkTally {
        try library.write { db in try library.settle(db, claim, outcomes, model) }
    }

    private func prepare(_ texts: [String]) throws -> (TestLibrary, [Int64], Int64) {
        let test = try TestLibrary()
        let material = try test.material(texts)
        try test.library.beginGeneration(model)
        let ids = try test.library.chunks(materialID: material).map { $0.id! }
        return (test, ids, material)
    }

    @Test func aChunkIsInOneWorkersHandsOnly() throws {
        let (test, ids, _) = try prepare(TestLibrary.texts(4))
        let other = try test.again()
        let first = try #require(try claim(test.library, Array(ids[..<3])))
        let second = try #require(try claim(other, ids))
        #expect(first.chunks.map(\.id) == Array(ids[..<3]))
        #expect(second.chunks.map(\.id) == [ids[3]])
    }

    @Test func anEqualTextInWorkIsNotTakenToo() throws {
        let (test, ids, material) = try prepare(["same", "other", "same"])
        let claim = try #require(try claim(test.library, ids))
        #expect(claim.chunks.map(\.id) == Array(ids[..<2]))
        let tally = try settle(
            test.library, claim, [.vector([1, 0, 0, 0]), .vector([0, 1, 0, 0])])
        #expect(tally.completedCount == 2 && tally.reusedCount == 1)
        #expect(
            try test.library.chunks(materialID: material)
                .allSatisfy { $0.embeddingStatus == .completed })
    }

    @Test func theAttemptIsCountedBeforeTheWork() throws {
        let (test, ids, material) = try prepare(["a"])
        _ = try claim(test.library, ids)
        #expect(try test.library.chunks(materialID: material).map(\.attempts) == [1])
    }

    @Test func aLateResultChangesNothing() throws {
        let (test, ids, material) = try prepare(["a"])
        let other = try test.again()
        let late = try #require(try claim(test.library, ids))
        test.clock.advance(.seconds(61))
        try other.recoverAbandoned()
        let second = try #require(try claim(other, ids))
        #expect(try settle(other, second, [.vector([0, 1, 0, 0])]).completedCount == 1)
        #expect(
            try settle(test.library, late, [.vector([1, 0, 0, 0])])
                == ChunkTally(supersededCount: 1))
        let chunk = try test.library.chunks(materialID: material)[0]
        #expect(chunk.embedding == StoredVector.data([0, 1, 0, 0]))
        #expect(chunk.attempts == 2)
    }

    @Test func theLastVersionOfATextWins() throws {
        let (test, ids, material) = try prepare(["old"])
        let claim = try #require(try claim(test.library, ids))
        try test.library.replaceText(chunkID: ids[0], "new", tokenCount: 1)
        #expect(
            try settle(test.library, claim, [.vector([1, 0, 0, 0])])
                == ChunkTally(supersededCount: 1))
        let chunk = try test.library.chunks(materialID: material)[0]
        #expect(chunk.embeddingStatus == .pending && chunk.embedding == nil && chunk.attempts == 0)
    }

    @Test func aDeletedChunkStaysDeleted() throws {
        let (test, ids, material) = try prepare(["a", "b"])
        let claim = try #require(try claim(test.library, ids))
        try test.library.replaceChunks(materialID: material, TestLibrary.drafts(["b", "c"]))
        let tally = try settle(
            test.library, claim, [.vector([1, 0, 0, 0]), .vector([0, 1, 0, 0])])
        #expect(tally.completedCount == 1 && tally.supersededCount == 1)
        let chunks = try test.library.chunks(materialID: material)
        #expect(chunks.map(\.text) == ["b", "c"])
        #expect(chunks.map(\.embeddingStatus) == [.completed, .pending])
    }

    @Test func whatWasNotTriedIsGivenBackWithItsAttempt() throws {
        let (test, ids, material) = try prepare(["a"])
        let claim = try #require(try claim(test.library, ids))
        _ = try settle(test.library, claim, [.released])
        let chunk = try test.library.chunks(materialID: material)[0]
        #expect(chunk.attempts == 0 && chunk.claimID == nil && chunk.embeddingStatus == .pending)
    }

    /// Only a chunk that was alone can be given up.
    @Test func whatEndsTheProcessIsSetAsideAfterItsAttempts() throws {
        let (test, ids, material) = try prepare(["poison", "innocent"])
        let other = try test.again()
        for round in 1...8 {
            // Both together, then each alone, as long as it may be tried.
            for group in [ids, [ids[0]]]
            where try claim(test.library, group, isAlone: group.count == 1) != nil {
                test.clock.advance(.seconds(61))
                try other.recoverAbandoned()
            }
            let chunk = try test.library.chunks(materialID: material)[0]
            #expect(chunk.isSetAside == (round >= 6))
        }
        let chunks = try test.library.chunks(materialID: material)
        #expect(chunks.map(\.isSetAside) == [true, false])
        #expect(chunks[0].embeddingStatus == .failed && chunks[0].lastError == PoisonPolicy.reason)
        #expect(chunks[0].loneInterruptions == PoisonPolicy.attemptLimit)
        #expect(chunks[1].interruptions > PoisonPolicy.attemptLimit)
        // Named, it is tried again.
        #expect(try test.library.need(.init(.chunk(ids[0])), model).chunkCount == 0)
        #expect(try test.library.need(.init(.chunk(ids[0]), .failed), model).chunkCount == 1)
        #expect(try test.library.resetFailedChunks(.material(material)) == 1)
        #expect(try test.library.chunk(id: ids[0]).embeddingStatus == .pending)
    }

    @Test func anOwnerKnowsWhetherItIsGone() throws {
        let owner = LeaseOwner.current()
        #expect(LeaseOwner(owner.description) == owner)
        #expect(!owner.isGone)
        var other = owner
        other.startTime = "1"
        #expect(other.isGone)
        other = owner
        other.processID = .max
        #expect(other.isGone)
        // Of another machine, or another namespace, nobody can tell.
        other.bootID = "another"
        #expect(!other.isGone)
        other = owner
        other.processNamespace = "pid:[1]"
        other.processID = .max
        #expect(!other.isGone)
        #expect(LeaseOwner("nonsense") == nil)
    }

    @Test func theClaimsOfAProcessThatIsGoneAreFreeAtOnce() throws {
        let (test, ids, _) = try prepare(["a"])
        let claim = try #require(try claim(test.library, ids))
        var gone = LeaseOwner.current()
        gone.startTime = "1"
        let description = gone.description
        try test.library.write { db in
            try db.execute(
                sql: "UPDATE claims SET owner = ? WHERE id = ?",
                arguments: [description, claim.id])
        }
        try test.again().recoverAbandoned()
        let chunk = try test.library.chunk(id: ids[0])
        #expect(chunk.claimID == nil && chunk.interruptions == 1)
    }
}

@Suite struct SuspicionTests {
    /// Who kills processes at random hits chunks that go well another time.
    @Test func whereOtherThingsEndProcessesItTakesMoreToGiveAChunkUp() throws {
        let test = try TestLibrary()
        let embedder = FakeEmbedder()
        let material = try test.material(["a", "b"])
        try test.library.beginGeneration(embedder.model)
        let ids = try test.library.chunks(materialID: material).map { $0.id! }
        let other = try test.again()
        func die(_ id: Int64) throws {
            var ids = [id]
            _ = try test.library.write { db in
                try test.library.claim(db, limit: 1, .any, embedder.model, isAlone: true) {
                    ids.popLast()
                }
            }
            test.clock.advance(.seconds(61))
            try other.recoverAbandoned()
        }
        for _ in 0..<3 { try die(ids[0]) }
        _ = try test.processor(embedder).processChunks(.init(.chunk(ids[0])))
        for _ in 0..<8 { try die(ids[1]) }
        #expect(try !test.library.chunk(id: ids[1]).isSetAside)
        try die(ids[1])
        #expect(try test.library.chunk(id: ids[1]).isSetAside)
    }
}
