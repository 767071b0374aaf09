import KernelInterface
import Kernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension BertConfiguration {
    /// The floating-point operations of one text: what its matrix products take, a multiplication and
    /// an addition each.
    ///
    /// - Parameter length: its tokens.
    public func operationCount(length: Int) -> Double {
        let linear = 2 * (4 * hiddenSize + 2 * intermediateSize) * hiddenSize
        let attention = 4 * hiddenSize * length
        return Double(layerCount) * Double(length) * Double(linear + attention)
    }
}

extension BertEncoder {
    /// How fast one thread computes the first feed-forward layer on each backend, in GFLOPS: the best
    /// of some turns, in processor time, so that other work on the machine does not count.
    ///
    /// - Parameter tokens: the rows of the product.
    public func layerRates(
        _ backends: [Backend], tokens: Int, turns: Int
    ) -> [Backend: Double] {
        let weight = weights.layers[0].intermediateWeight
        let x = [Float](repeating: 0.5, count: tokens * weight.inner)
        var y = [Float](repeating: 0, count: tokens * weight.columns)
        var scratch = [Float](repeating: 0, count: Linear.scratchCount)
        let rowMajor = backends.contains(.openblas) ? weight.rowMajor() : []
        let part = Linear.Part(
            weight: weight.elements, inner: weight.inner, columns: weight.columns,
            panels: 0..<weight.panelCount, rows: 0..<weight.inner)
        var best: [Backend: Double] = [:]
        // The first turn brings weights and code into the caches, and is not counted.
        for turn in 0...turns {
            for backend in backends {
                let start = Self.processorSeconds
                switch backend {
                case .openblas:
                    BLAS.linear(
                        x, rowMajor, into: &y, rows: tokens, inner: weight.inner,
                        columns: weight.columns)
                case .simd:
                    kernels.linear(
                        x, weight.inner, tokens, part, nil, 0, false, &y, weight.columns, &scratch)
                }
                let seconds = Self.processorSeconds - start
                if turn > 0 { best[backend] = min(best[backend] ?? .infinity, seconds) }
            }
        }
        let operations = 2 * Double(tokens * weight.inner * weight.columns)
        return best.mapValues { operations / max($0, 1e-9) * 1e-9 }
    }

    /// The time that this thread had a processor.
    private static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// How fast this thread multiplies and adds in registers, in GFLOPS.
    ///
    /// - Parameter seconds: about how long to measure.
    public static func peakRate(seconds: Double) -> Double {
        let rounds = 100_000
        var (total, start, sum) = (0, ContinuousClock.now, Float(0))
        // The processor may have to speed up first.
        sum += KernelSet.best.peak(rounds, 1e-3)
        start = .now
        while true {
            sum += KernelSet.best.peak(rounds, 1e-3)
            total += rounds
            let (whole, part) = (ContinuousClock.now - start).components
            let elapsed = Double(whole) + Double(part) * 1e-18
            guard elapsed < seconds, sum.isFinite else {
                return Double(total * KernelSet.best.peakOperations) / elapsed * 1e-9
            }
        }
    }
}
