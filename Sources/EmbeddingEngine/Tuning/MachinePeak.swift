import Transformer

/// What the machine could compute at most.
public enum MachinePeak {
    /// The multiply-adds of all threads at once, in GFLOPS.
    ///
    /// - Parameter seconds: about how long to measure.
    public static func gigaflops(threadCount: Int, seconds: Double = 0.1) -> Double {
        let rates = Monitor<[Double]>([])
        var started = 0
        for _ in 0..<threadCount
        where Threads.start({
            let rate = BertEncoder.peakRate(seconds: seconds)
            rates.withLock { $0.append(rate) }
            rates.notifyAll()
        }) {
            started += 1
        }
        let count = started
        return rates.wait { $0.count == count ? $0.reduce(0, +) : nil } ?? 0
    }
}
