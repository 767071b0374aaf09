import EmbeddingPipeline
import Testing

@Suite struct BusyLimitTests {
    private let start = ContinuousClock.now

    @Test func aWaitEndsWhenItsTimeIsOver() {
        let limit = BusyLimit(.seconds(1))
        var tries = 0
        while limit.allows(tryCount: tries, now: start + .milliseconds(2 * tries)) { tries += 1 }
        #expect(tries == 500)
        // The next wait has its own time.
        #expect(limit.allows(tryCount: 0, now: start + .seconds(100)))
    }

    @Test func timeWithoutATryCountsForLittle() {
        let limit = BusyLimit(.seconds(1))
        #expect(limit.allows(tryCount: 0, now: start))
        // The machine slept.
        #expect(limit.allows(tryCount: 1, now: start + .seconds(3600)))
        var tries = 2
        while limit.allows(tryCount: tries, now: start + .seconds(3600 * tries)) { tries += 1 }
        #expect(tries == 20)
    }
}
