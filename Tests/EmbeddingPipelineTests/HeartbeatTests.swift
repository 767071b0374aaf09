import EmbeddingPipeline
import Foundation
import GRDB
import TestSupport
import Testing

@Suite struct HeartbeatTests {
    /// Leases of tasks and of chunks, of who lives; those of others are left to end.
    @Test func whatIsInWorkIsRenewedWhileItsProcessLives() throws {
        let directory = try TemporaryDirectory()
        let clock = ManualClock()
        var options = Library.Options()
        options.leaseDuration = .seconds(2)
        let library = try Library(path: directory.path("l.sqlite"), options, clock: clock)
        let embedder = FakeEmbedder()
        let subject = try library.addSubject("s").id!
        let material = try library.addMaterial(subjectID: subject, title: "m", sourcePath: nil)
        try library.replaceChunks(
            materialID: material.id!, TestLibrary.drafts(TestLibrary.texts(2)))
        try library.beginGeneration(embedder.model)
        let task = try library.enqueue(.processMaterial, material.id!)
        _ = try #require(try library.leaseTask())
        var ids = try library.chunks(materialID: material.id!).map { $0.id! }
        _ = try library.write { db in
            try library.claim(db, limit: 2, .any, embedder.model, isAlone: false) { ids.popLast() }
        }
        func ends() throws -> [Date?] {
            let claim = try library.read { db in
                try Date.fetchOne(db, sql: "SELECT expires_at FROM claims")
            }
            return [try library.task(id: task).leaseExpiresAt, claim]
        }
        let first = clock.now + 2
        #expect(try ends() == [first, first])
        clock.advance(.seconds(100))
        // By the beat of a thread; how soon is the machine's.
        while try ends() != [first + 100, first + 100] { usleep(10_000) }

        // What another has in work is his to renew.
        try library.write { db in
            try db.execute(sql: "UPDATE claims SET owner = 'x'; UPDATE tasks SET lease_owner = 'x'")
        }
        clock.advance(.seconds(100))
        let other = try library.enqueue(.processMaterialEmbeddings, material.id!)
        let lease = try #require(try library.leaseTask())
        #expect(lease.taskID == other)
        clock.advance(.seconds(100))
        while try library.task(id: other).leaseExpiresAt != first + 300 { usleep(10_000) }
        #expect(try ends() == [first + 100, first + 100])
    }
}
