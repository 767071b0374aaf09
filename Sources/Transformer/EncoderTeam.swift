import CProcessor
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Threads that compute one batch together: one leads it through the forward pass, others help with
/// the parts of each stage.
///
/// Helpers may come at any time, or never: whoever is free takes the next part, the leader from the
/// front and helpers from the back, so that each goes through neighbouring parts; and the leader goes
/// on when all parts of a stage are done. While the batch lasts helpers wait awake, since a stage is
/// shorter than a thread takes to wake up.
// Sendable: `body` is written while no part of a stage can be claimed, and read after a claim.
public final class EncoderTeam: @unchecked Sendable {
    /// The threads that may take part, the leader among them.
    public let memberCount: Int
    /// The stage (32 bits), the end of the parts that nobody took (16) and their start (16).
    private let board = Atomic<UInt64>(0)
    /// Parts of the stage that are not done.
    private let unfinished = Atomic<Int>(0)
    private let isOver = Atomic<Bool>(false)
    private var body: (Int, EncoderScratch) -> Void = { _, _ in }

    public init(memberCount: Int) { self.memberCount = memberCount }

    private static let largestPartCount = 0xFFFF

    /// Runs a stage of `count` parts; returns when all are done.
    func run(
        _ count: Int, _ scratch: EncoderScratch, _ body: (Int, EncoderScratch) -> Void
    ) {
        guard count > 1, count <= Self.largestPartCount else {
            for part in 0..<count { body(part, scratch) }
            return
        }
        withoutActuallyEscaping(body) { body in
            self.body = body
            unfinished.store(count, ordering: .relaxed)
            let stage = (board.load(ordering: .relaxed) >> 32) &+ 1
            board.store(stage << 32 | UInt64(count) << 16, ordering: .releasing)
            while let part = claim(isLeader: true) { work(on: part, scratch) }
            var spins = 0
            while unfinished.load(ordering: .acquiring) > 0 { Self.wait(&spins) }
            self.body = { _, _ in }
        }
    }

    /// Helps until the batch is done.
    public func help(_ workspace: EncoderWorkspace) {
        var spins = 0
        while !isOver.load(ordering: .acquiring) {
            if let part = claim(isLeader: false) {
                work(on: part, workspace.scratch)
                spins = 0
            } else {
                Self.wait(&spins)
            }
        }
    }

    /// The batch is done: helpers leave.
    public func finish() { isOver.store(true, ordering: .releasing) }

    private func claim(isLeader: Bool) -> Int? {
        var seen = board.load(ordering: .acquiring)
        while true {
            let (start, end) = (seen & 0xFFFF, (seen >> 16) & 0xFFFF)
            guard start < end else { return nil }
            let (isMine, now) = board.weakCompareExchange(
                expected: seen, desired: isLeader ? seen + 1 : seen - (1 << 16),
                ordering: .acquiringAndReleasing)
            if isMine { return Int(isLeader ? start : end - 1) }
            seen = now
        }
    }

    private func work(on part: Int, _ scratch: EncoderScratch) {
        // The stage stays while a claimed part of it is not reported.
        body(part, scratch)
        unfinished.subtract(1, ordering: .acquiringAndReleasing)
    }

    /// Waits awake for a while, then lets others run who may be what is waited for.
    private static func wait(_ spins: inout Int) {
        spins += 1
        if spins < 4000 { processor_pause() } else { sched_yield() }
    }
}
