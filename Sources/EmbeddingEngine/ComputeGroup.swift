import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The threads that compute. The caller's is one of them; the others sleep between runs.
public final class ComputeGroup: Sendable {
    public let threadCount: Int
    /// What a BLAS library built for 64 processors has memory for; it crashes with many more threads.
    public static let maximumThreadCount = 64
    private let shared: Shared
    /// One run at a time.
    private let runs = Mutex<Void>(())

    /// What the sleeping threads wait on.
    // Sendable: every field but `next` is guarded by `mutex`.
    private final class Shared: @unchecked Sendable {
        typealias Body = @Sendable (_ worker: Int, _ index: Int) -> Void

        let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        let done = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        var generation = 0
        var isClosed = false
        var body: Body?
        var count = 0
        var active = 0
        let next = Atomic<Int>(0)

        init() {
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(wake, nil)
            pthread_cond_init(done, nil)
        }

        deinit {
            pthread_mutex_destroy(mutex)
            pthread_cond_destroy(wake)
            pthread_cond_destroy(done)
            mutex.deallocate()
            wake.deallocate()
            done.deallocate()
        }

        func work(_ worker: Int, _ count: Int, _ body: Body) {
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                if index >= count { return }
                body(worker, index)
            }
        }

        func threadMain(_ worker: Int) {
            var seen = 0
            pthread_mutex_lock(mutex)
            while true {
                while generation == seen && !isClosed { pthread_cond_wait(wake, mutex) }
                if isClosed { break }
                seen = generation
                guard let body else { continue }
                active += 1
                let count = count
                pthread_mutex_unlock(mutex)
                work(worker, count, body)
                pthread_mutex_lock(mutex)
                active -= 1
                if active == 0 { pthread_cond_signal(done) }
            }
            pthread_mutex_unlock(mutex)
        }
    }

    /// - Parameter threadCount: the caller's thread included; brought within 1 and
    ///   ``maximumThreadCount``.
    public init(threadCount: Int) {
        self.threadCount = min(max(1, threadCount), Self.maximumThreadCount)
        shared = Shared()
        for worker in 1..<max(2, self.threadCount) where worker < self.threadCount {
            let start = Unmanaged.passRetained(ThreadStart(shared: shared, worker: worker))
            var thread = pthread_t()
            let status = pthread_create(
                &thread, nil,
                { argument in
                    let start = Unmanaged<ThreadStart>.fromOpaque(argument!).takeRetainedValue()
                    start.shared.threadMain(start.worker)
                    return nil
                }, start.toOpaque())
            if status == 0 { pthread_detach(thread) } else { start.release() }
        }
    }

    private final class ThreadStart: Sendable {
        let shared: Shared
        let worker: Int
        init(shared: Shared, worker: Int) {
            self.shared = shared
            self.worker = worker
        }
    }

    deinit {
        pthread_mutex_lock(shared.mutex)
        shared.isClosed = true
        pthread_cond_broadcast(shared.wake)
        pthread_mutex_unlock(shared.mutex)
    }

    /// Calls `body` for each index below `count`, on all threads, and returns when all calls have.
    ///
    /// - Parameter body: gets the number of its thread, below ``threadCount``, and the index.
    public func run(count: Int, _ body: @Sendable (_ worker: Int, _ index: Int) -> Void) {
        guard count > 0 else { return }
        runs.withLock { _ in
            withoutActuallyEscaping(body) { body in
                shared.next.store(0, ordering: .relaxed)
                let wakesOthers = count > 1 && threadCount > 1
                if wakesOthers {
                    pthread_mutex_lock(shared.mutex)
                    shared.body = body
                    shared.count = count
                    shared.generation += 1
                    pthread_cond_broadcast(shared.wake)
                    pthread_mutex_unlock(shared.mutex)
                }
                shared.work(0, count, body)
                if wakesOthers {
                    pthread_mutex_lock(shared.mutex)
                    // A thread that has not woken by now finds no body and goes back to sleep.
                    shared.body = nil
                    while shared.active > 0 { pthread_cond_wait(shared.done, shared.mutex) }
                    pthread_mutex_unlock(shared.mutex)
                }
            }
        }
    }
}
