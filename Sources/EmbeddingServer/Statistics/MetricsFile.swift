import EmbeddingEngine
import Safetensors

/// A file of metrics that is replaced now and then, whole.
public final class MetricsFile: Sendable {
    private let path: String
    private let metrics: @Sendable () -> String
    private let isFinished = Monitor(false)

    /// - Parameter metrics: the text, asked for each time.
    public init(path: String, metrics: @escaping @Sendable () -> String) {
        self.path = path
        self.metrics = metrics
    }

    /// Replaces the file.
    ///
    /// - Throws: `FileError`.
    public func write() throws(FileError) {
        let writer = try AtomicFileWriter(path: path)
        try writer.write(Array(metrics().utf8))
        try writer.commit()
    }

    /// Replaces the file every `interval` until ``finish()``, on a thread of its own.
    ///
    /// - Parameter onError: hears why a write failed; the next one is tried nevertheless.
    public func start(
        interval: Duration, onError: @escaping @Sendable (FileError) -> Void
    ) {
        _ = Threads.start { [self] in
            while isFinished.wait(timeout: interval, { $0 ? true : nil }) == nil {
                do throws(FileError) { try write() } catch { onError(error) }
            }
        }
    }

    /// Ends what ``start(interval:onError:)`` began.
    public func finish() {
        isFinished.withLock { $0 = true }
        isFinished.notifyAll()
    }
}
