extension BatchScheduler {
    package struct Limits: Sendable, Equatable {
        /// The tokens of a batch; a longer single text is a batch of its own.
        package var batchTokenCount = 128
        /// The tokens of a batch that carries the last texts of a short job: enough to compute well,
        /// and soon done.
        package var shortBatchTokenCount = 128
        /// The fewest tokens that a batch is split for among idle workers.
        package var splitTokenCount = 32
        package var workerCount = 1
        /// One batch of so many goes to the job that has waited longest.
        package var fairTurn = 8
        /// Texts and bytes that are tokenized at a time.
        package var tokenizedTextCount = 64
        package var tokenizedByteCount = 1 << 15

        package init() {}

        /// The tokens that wait ready, a job, before more of its texts are tokenized.
        var lookaheadTokenCount: Int { 2 * batchTokenCount * workerCount }
    }

    package struct Job: Sendable {
        package var textByteCounts: [Int]
        package var priority = 0
        package var deadline: Instant?
        /// Whether its texts have their results when they are tokenized.
        package var isTokenizedOnly = false

        package init(
            textByteCounts: [Int], priority: Int = 0, deadline: Instant? = nil,
            isTokenizedOnly: Bool = false
        ) {
            self.textByteCounts = textByteCounts
            self.priority = priority
            self.deadline = deadline
            self.isTokenizedOnly = isTokenizedOnly
        }
    }

    package struct TextID: Hashable, Sendable {
        package var job: JobID
        package var index: Int

        package init(job: JobID, index: Int) {
            self.job = job
            self.index = index
        }
    }

    /// Some texts of a job.
    package struct TextRange: Equatable, Sendable {
        package var job: JobID
        package var indices: Range<Int>
    }

    /// A sequence of a batch.
    package struct BatchEntry: Equatable, Sendable {
        package var sequence: SequenceID
        package var ids: [Int32]
    }

    package enum Work: Equatable, Sendable {
        case tokenize([TextRange])
        case compute([BatchEntry])
    }

    /// What became of a text's tokenization.
    package enum Tokenized: Sendable {
        case ids([Int32])
        /// The text has its result: it was only to be tokenized, was found in a cache, or is an
        /// error.
        case finished
    }
}
