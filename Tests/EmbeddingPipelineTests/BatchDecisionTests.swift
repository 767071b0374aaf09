import EmbeddingEngine
import EmbeddingPipeline
import Testing

@Suite struct BatchDecisionTests {
    private static let megabyte = 1 << 20

    /// Half of what is available at 2 MiB a chunk, within 5 and 100.
    @Test(arguments: [
        (0, 5), (1, 5), (19, 5), (20, 5), (24, 6), (25, 6), (28, 7), (200, 50), (399, 99),
        (400, 100), (404, 100), (1 << 20, 100),
    ])
    func theBatchSizeFollowsFromTheMemoryThatIsFree(megabytes: Int, size: Int) {
        let state = MemoryState(available: megabytes * Self.megabyte, usedShare: 0.5)
        #expect(BatchDecision.automaticSize(state) == size)
    }

    @Test(arguments: [
        (0, 0.0, 0.8, BatchDecision.Mode.immediately), (49, 0.8, 0.8, .immediately),
        (50, 0.0, 0.8, .inBatches), (1000, 0.9, 0.8, .inBatches), (1, 0.81, 0.8, .inBatches),
        (1, 0.71, 0.7, .inBatches), (1, 0.7, 0.7, .immediately), (49, 0.89, 0.9, .immediately),
        (49, 0.91, 0.9, .inBatches),
    ])
    func batchesWhenMemoryIsOverTheThresholdOrThereAreMany(
        count: Int, used: Double, threshold: Double, mode: BatchDecision.Mode
    ) {
        let state = MemoryState(available: 1 << 30, usedShare: used)
        #expect(BatchDecision.mode(chunkCount: count, state, threshold: threshold) == mode)
    }

    @Test(arguments: [(0.84, false), (0.85, false), (0.86, true), (1.0, true)])
    func cachesAreGivenBackOver85Percent(used: Double, releases: Bool) {
        let state = MemoryState(available: 1 << 30, usedShare: used)
        #expect(BatchDecision.releasesMemory(state) == releases)
    }

    @Test func theTightestLimitCounts() {
        let state = MemoryState([
            .init(limit: 1000, available: 500), .init(limit: 100, available: 5),
            .init(limit: 400, available: 300),
        ])
        #expect(state == MemoryState(available: 5, usedShare: 0.95))
        #expect(MemoryState([]) == MemoryState(available: .max, usedShare: 0))
    }

    private static let meminfo = "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 600 kB\n"

    @Test(
        arguments: [
            // Nothing but the machine.
            ([:], 600 * 1024, 0.4),
            // cgroup v2: the limit of a group above counts too.
            (
                [
                    "/proc/self/cgroup": "0::/a/b\n",
                    "/sys/fs/cgroup/a/b/memory.max": "max\n",
                    "/sys/fs/cgroup/a/b/memory.current": "1024\n",
                    "/sys/fs/cgroup/a/memory.max": "409600\n",
                    "/sys/fs/cgroup/a/memory.current": "307200\n",
                    "/sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 102400\n",
                ], 200 * 1024, 0.5
            ),
            // cgroup v1.
            (
                [
                    "/proc/self/cgroup": "5:cpu,cpuacct:/\n4:memory:/x\n",
                    "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "102400\n",
                    "/sys/fs/cgroup/memory/x/memory.usage_in_bytes": "92160\n",
                    "/sys/fs/cgroup/memory/x/memory.stat": "total_inactive_file 0\n",
                ], 10 * 1024, 0.9
            ),
        ] as [([String: String], Int, Double)])
    func memoryIsReadFromCgroupsAndTheMachine(
        files: [String: String], available: Int, used: Double
    ) {
        let limits = ProcessMemory.limits { path in
            path == "/proc/meminfo" ? Self.meminfo : files[path]
        }
        let state = MemoryState(limits)
        #expect(state.available == available)
        #expect(abs(state.usedShare - used) < 1e-9)
    }

    /// The thresholds of the tasks.
    @Test(arguments: [
        (TaskName.processMaterial, 0.7), (.generateChunkEmbedding, 0.9),
        (.processMaterialEmbeddings, 0.8), (.updateExistingMaterialEmbeddings, 0.8),
    ])
    func tasksHaveTheirThresholds(name: TaskName, threshold: Double) {
        #expect(name.memoryThreshold == threshold)
    }

    @Test(arguments: [(100, 1, 50), (100, 3, 12), (10, 1, 5), (10, 2, 2), (10, 3, 1), (10, 99, 1)])
    func aBatchThatEndedTheProcessIsHalvedUntilOneIsLeft(size: Int, interruptions: Int, half: Int) {
        #expect(PoisonPolicy.groupSize(batchSize: size, interruptions: interruptions) == half)
    }
}
