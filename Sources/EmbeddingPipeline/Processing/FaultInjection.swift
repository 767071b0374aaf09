#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Faults that tests ask for through the environment of the real program.
enum FaultInjection {
    /// Texts that contain it end the process when they are about to be computed.
    private static let poison = getenv("MINILM_TEST_ABORT_ON").map { String(cString: $0) }

    static func abortIfPoisonous(_ texts: [String]) {
        guard let poison, !poison.isEmpty, texts.contains(where: { $0.contains(poison) }) else {
            return
        }
        abort()
    }
}
