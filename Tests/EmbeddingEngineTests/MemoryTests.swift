import EmbeddingEngine
import Synchronization
import TestSupport
import Testing

@Suite struct ProcessMemoryTests {
    @Test func theLeastOfTheCGroupsCounts() {
        let files = [
            "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "9223372036854771712\n",
            "/sys/fs/cgroup/memory/a/b/memory.usage_in_bytes": "100\n",
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000\n",
            "/sys/fs/cgroup/memory/a/memory.usage_in_bytes": "700\n",
            "/sys/fs/cgroup/memory/a/memory.stat": "cache 5\ntotal_inactive_file 50\n",
            "/sys/fs/cgroup/c/memory.max": "2000",
            "/sys/fs/cgroup/c/memory.current": "100",
            "/sys/fs/cgroup/d/memory.max": "max",
            "/sys/fs/cgroup/d/memory.current": "100",
        ]
        func headroom(_ membership: String) -> Int? {
            ProcessMemory.cgroupLimits(membership: membership) { files[$0] }.map(\.available).min()
        }
        #expect(headroom("4:memory:/a/b\n3:cpu:/c\n") == 350)
        #expect(headroom("0::/c\n") == 1900)
        #expect(headroom("0::/d\n") == nil)
        #expect(headroom("4:memory:/a\n0::/c") == 350)
        #expect(headroom("") == nil)
        #expect(headroom("garbage\n1:2") == nil)
    }

    @Test func theSystemsFilesAreRead() {
        #expect(ProcessMemory.residentPages(statm: "100 25 3 4 5 6 7\n") == 25)
        #expect(ProcessMemory.kilobytes("VmHWM:", in: "VmPeak:\t 10 kB\nVmHWM:\t 3 kB\n") == 3072)
        #expect(ProcessMemory.resident > 1 << 20)
        #expect(ProcessMemory.peakResident >= ProcessMemory.resident / 2)
    }

    @Test func theBudgetIsFixedOrHalfOfWhatIsThere() {
        #expect(MemoryBudget(ceiling: 500).ceiling(resident: 100, available: 1000) == 500)
        #expect(MemoryBudget().ceiling(resident: 100, available: 1000) == 600)
    }
}

@Suite struct PredictionTests {
    @Test func plansGrowWithTheTextsAndKeepToTheCeiling() throws {
        let embedder = try TinyModel.embedder(threads: 2, batchTokens: 256)
        let none = embedder.plan(lengths: [], byteCount: 0)
        let few = embedder.plan(lengths: [10, 20], byteCount: 1000)
        let many = embedder.plan(lengths: .init(repeating: 32, count: 1000), byteCount: 1000)
        #expect(none.batchCount == 0)
        #expect(few.batchCount == 1)
        #expect(many.batchCount == 125)
        #expect(none.peakByteCount < few.peakByteCount)
        #expect(few.peakByteCount < many.peakByteCount)
        #expect(many.fits)
        #expect(few.seconds < many.seconds)
        #expect(!embedder.plan(lengths: [10], byteCount: 1 << 50).fits)
    }

    /// Batches over a low ceiling shrink, and every text has its vector nevertheless.
    @Test func aLowCeilingShrinksBatchesButServes() throws {
        var configuration = Embedder.Configuration(threadCount: 2, batchTokenCount: 512)
        configuration.memory.ceiling = 1 << 20
        let embedder = try Embedder(modelPath: TinyModel.path, configuration)
        let texts = (0..<300).map { "text number \($0) of many" }
        let expected = try TinyModel.embedder().embed(texts)
        let embeddings = try embedder.embed(texts)
        for (a, b) in zip(embeddings.vectors, expected.vectors) { #expect(abs(a - b) < 2e-6) }
        #expect(embedder.statistics.shrunkBatchCount > 0)
        #expect(embedder.statistics.releaseCount > 0)
    }
}

@Suite struct EmbedderCacheTests {
    @Test func repeatedTextsHaveTheSameBits() throws {
        var configuration = Embedder.Configuration(threadCount: 2)
        configuration.cacheByteCount = 1 << 20
        let embedder = try Embedder(modelPath: TinyModel.path, configuration)
        let texts = (0..<50).map { "text \($0)" }
        let first = try embedder.embed(texts)
        let second = try embedder.embed(texts.reversed())
        for i in texts.indices {
            #expect(first[i].elementsEqual(second[texts.count - 1 - i]))
        }
        #expect(embedder.statistics.cacheHitCount == 50)
        #expect(embedder.statistics.textCount == 50)
        // What was cached is not normalized yet: requests may differ in that.
        var request = Embedder.Request()
        request.dimension = 4
        let short = try embedder.embed(["text 7"], request)
        #expect(short.dimension == 4)
        let length = short.vectors.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(abs(length - 1) < 1e-6)
    }

    @Test func copiesOfATextAreComputedOnce() throws {
        let embedder = try TinyModel.embedder()
        let embeddings = try embedder.embed(.init(repeating: "the same", count: 500))
        #expect(embedder.statistics.textCount < 500)
        for i in 0..<500 { #expect(embeddings[i].elementsEqual(embeddings[0])) }
    }
}

@Suite struct MemoryGovernorTests {
    private final class Memory: Sendable {
        let resident = Mutex(0)
        let available = Mutex(1000 << 20)

        var readings: MemoryGovernor.Readings {
            .init(
                resident: { self.resident.withLock { $0 } },
                available: { self.available.withLock { $0 } })
        }

        func set(resident: Int) { self.resident.withLock { $0 = resident << 20 } }
        func set(available: Int) { self.available.withLock { $0 = available << 20 } }
    }

    private let memory = Memory()
    private let start = ContinuousClock.now
    private let cost: CostModel

    init() throws {
        // 2 MiB for 1000 tokens of one text, and 1 MiB a worker beside.
        var cost = CostModel(try TinyModel.embedder().model.settings.configuration, .openblas)
        cost.workerByteCount = 1 << 20
        self.cost = cost
    }

    private func governor(ceiling: Int?, threshold: Double = 0.8) -> MemoryGovernor {
        MemoryGovernor(
            MemoryBudget(ceiling: ceiling.map { $0 << 20 }, threshold: threshold), workerCount: 2,
            memory.readings)
    }

    private func verdict(
        _ governor: MemoryGovernor, tokens: Int, longest: Int, isAlone: Bool = false
    ) -> MemoryGovernor.Verdict {
        governor.verdict(worker: 0, tokens: tokens, longest: longest, cost, isAlone: isAlone)
    }

    @Test func batchesGrowAsFarAsTheThreshold() {
        memory.set(resident: 70)
        let governor = governor(ceiling: 100)
        let small = cost.workspaceByteCount(tokens: 512, longest: 32)
        #expect(70 << 20 + small < 80 << 20)
        #expect(verdict(governor, tokens: 512, longest: 32) == .fits)
        // So many tokens that the activations pass the threshold.
        let tokens = (10 << 20) / cost.workspaceByteCount(tokens: 1, longest: 0)
        #expect(verdict(governor, tokens: tokens, longest: 32) == .shrink)
        #expect(
            verdict(self.governor(ceiling: 100, threshold: 0.95), tokens: tokens, longest: 32)
                == .fits)
    }

    @Test func overTheThresholdOneTextGoesOnUntilTheCeiling() {
        memory.set(resident: 85)
        var governor = governor(ceiling: 100)
        #expect(verdict(governor, tokens: 64, longest: 32) == .shrink)
        #expect(verdict(governor, tokens: 32, longest: 32) == .fits)
        memory.set(resident: 100)
        governor.refresh(now: start)
        #expect(verdict(governor, tokens: 32, longest: 32) == .shrink)
        // Nothing else runs whose end would make room.
        #expect(verdict(governor, tokens: 32, longest: 32, isAlone: true) == .fits)
    }

    @Test func aWorkspaceThatIsThereIsNoGrowth() {
        memory.set(resident: 90)
        var governor = governor(ceiling: 100)
        governor.workspaceByteCounts[0] = 50 << 20
        let most = MemoryGovernor.shrunkTokenCount
        #expect(verdict(governor, tokens: most, longest: 8) == .fits)
        #expect(verdict(governor, tokens: most + 1, longest: 8) == .shrink)
        #expect(verdict(governor, tokens: 512, longest: 512) == .fits)
    }

    @Test func whatRunsElsewhereIsCounted() {
        memory.set(resident: 70)
        var governor = governor(ceiling: 100)
        let tokens = (9 << 20) / cost.workspaceByteCount(tokens: 1, longest: 0)
        governor.begin(worker: 1, tokens, 32, cost)
        #expect(verdict(governor, tokens: 512, longest: 32) == .shrink)
        governor.end(worker: 1, 0)
        #expect(verdict(governor, tokens: 512, longest: 32) == .fits)
    }

    @Test func memoryIsGivenBackOver85PercentAtMostOnceASecond() {
        memory.set(resident: 84)
        var governor = governor(ceiling: 100)
        #expect(!governor.isReleaseDue(now: start))
        memory.set(resident: 86)
        governor.refresh(now: start)
        #expect(governor.isReleaseDue(now: start))
        governor.workspaceByteCounts = [1 << 20, 0]
        governor.release(now: start)
        #expect(!governor.isReleaseDue(now: start + .milliseconds(900)))
        #expect(governor.isReleaseDue(now: start + .milliseconds(1100)))
        // Each worker that has a workspace is asked once.
        let asked = (0..<3).map { _ in governor.takeRelease(0) }
        #expect(asked == [true, false, false])
        let other = governor.takeRelease(1)
        #expect(!other)
        #expect(governor.workspaceByteCounts == [0, 0])
    }

    @Test func theCeilingFollowsTheMachine() {
        memory.set(resident: 100)
        var governor = governor(ceiling: nil)
        #expect(governor.ceiling == 600 << 20)
        memory.set(available: 200)
        governor.refresh(now: start)
        #expect(governor.ceiling == 200 << 20)
        memory.set(available: 400)
        governor.refresh(now: start + .milliseconds(500))
        #expect(governor.ceiling == 200 << 20)
        governor.refresh(now: start + .milliseconds(1600))
        #expect(governor.ceiling == 300 << 20)
    }
}
