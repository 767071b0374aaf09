import Tokenization

/// Texts, and what is to be done with them.
public struct EmbeddingJob: Sendable {
    /// What is wanted of each text.
    public enum Purpose: Sendable, Equatable {
        /// Its vector.
        case embed
        /// Token ids and byte offsets.
        case tokenize
        /// How many tokens there are, nothing stored.
        case count
    }

    /// The texts.
    public var texts: [String]
    /// What is wanted of them.
    public var purpose = Purpose.embed
    /// Window, truncation, length and dimension.
    public var request = Embedder.Request()
    /// Higher first.
    public var priority = 0
    /// When the result is worth nothing any more.
    public var deadline: ContinuousClock.Instant?

    public init(_ texts: [String], _ request: Embedder.Request = .init()) {
        self.texts = texts
        self.request = request
    }

    /// What became of a text.
    public struct TextResult {
        /// The text's place in ``EmbeddingJob/texts``.
        public let index: Int
        public let value: Value

        /// What was wanted, or why it could not be had.
        public enum Value {
            /// `[D]`, valid only while the receiver runs.
            case vector(UnsafeBufferPointer<Float>, tokenCount: Int, droppedTokenCount: Int)
            case encoding(Encoding)
            case tokenCount(Int)
            case failure(EmbeddingError)
        }
    }

    /// How a job ended.
    public enum End: Sendable, Equatable {
        /// Every text has its result.
        case finished
        case cancelled
        case deadlineExceeded
    }
}

/// Gets a job's results.
public protocol EmbeddingJobReceiver: AnyObject, Sendable {
    /// A thread takes the job up. Called once.
    func begin()
    /// Some texts have their results. Called on the embedder's threads, several at once for
    /// different texts. One that has begun may still run when the job is cancelled; what it hears
    /// then counts no more.
    func receive(_ results: [EmbeddingJob.TextResult])
    /// Called once.
    func end(_ end: EmbeddingJob.End)
}
