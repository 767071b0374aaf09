import EmbeddingEngine
import EmbeddingPipeline
import Foundation
import Synchronization
import TestSupport

/// A clock that stands still until a test moves it.
final class ManualClock: PipelineClock {
    private let time = Mutex(Date(timeIntervalSince1970: 1_700_000_000))
    var now: Date { time.withLock { $0 } }
    func advance(_ duration: Duration) {
        time.withLock { $0 += TimeInterval(duration.components.seconds) }
    }
}

/// Memory as a test sets it.
final class FixedMemory: MemoryReading {
    private let value: Mutex<MemoryState>
    init(_ state: MemoryState) { value = Mutex(state) }
    func state() -> MemoryState { value.withLock { $0 } }
    func set(_ state: MemoryState) { value.withLock { $0 = state } }

    static var plenty: FixedMemory {
        FixedMemory(MemoryState(available: 16 << 30, usedShare: 0.2))
    }
}

/// Vectors that depend on the text alone, and failures by what stands in it.
final class FakeEmbedder: ChunkEmbedder {
    let model: ModelIdentity
    private let state = Mutex(State())
    private let onEmbed: @Sendable ([String]) -> Void

    private struct State {
        var batches: [[String]] = []
        var inWork = 0
        var largestInWork = 0
        var releases = 0
        var failuresLeft: [String: Int] = [:]
    }

    /// - Parameters:
    ///   - onEmbed: runs before the vectors are handed on.
    init(
        _ fingerprint: String = "model-a", dimension: Int = 4,
        onEmbed: @escaping @Sendable ([String]) -> Void = { _ in }
    ) {
        model = ModelIdentity(
            fingerprint: fingerprint, name: fingerprint, dimension: dimension, isUnit: true)
        self.onEmbed = onEmbed
    }

    var batches: [[String]] { state.withLock { $0.batches } }
    var texts: [String] { batches.flatMap { $0 } }
    var largestInWork: Int { state.withLock { $0.largestInWork } }
    var releases: Int { state.withLock { $0.releases } }

    /// Lets a text fail so many times with an error that may pass.
    func failPassing(_ text: String, times: Int) {
        state.withLock { $0.failuresLeft[text] = times }
    }

    func vector(_ text: String) -> [Float] {
        var generator = SeededGenerator(
            seed: UInt64(TextHash.of(text + model.fingerprint).first ?? 0)
                &+ UInt64(text.utf8.count) << 8)
        let raw = (0..<model.dimension).map { _ in Float.random(in: -1...1, using: &generator) }
        let norm = raw.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return raw.map { $0 / norm }
    }

    func embed(
        _ texts: [String],
        completion: @escaping @Sendable ([Result<[Float], EmbeddingError>]) -> Void
    ) -> EmbeddingHandle {
        state.withLock { state in
            state.batches.append(texts)
            state.inWork += texts.count
            state.largestInWork = max(state.largestInWork, state.inWork)
        }
        let hasStarted = Threads.start { [self] in
            onEmbed(texts)
            let results = texts.map(result)
            state.withLock { $0.inWork -= texts.count }
            completion(results)
        }
        precondition(hasStarted)
        return EmbeddingHandle {}
    }

    private func result(_ text: String) -> Result<[Float], EmbeddingError> {
        if text.contains("TOO LONG") {
            return .failure(.textTooLong(index: 0, tokenCount: 300, limit: 256))
        }
        if text.contains("NO THREADS") { return .failure(.noThreads) }
        let fails = state.withLock { state in
            guard let left = state.failuresLeft[text], left > 0 else { return false }
            state.failuresLeft[text] = left - 1
            return true
        }
        if fails { return .failure(.model(.nonFiniteOutput(sequence: 0))) }
        return .success(vector(text))
    }

    func releaseMemory() { state.withLock { $0.releases += 1 } }
}

/// A library in a directory of its own.
final class TestLibrary {
    let directory: TemporaryDirectory
    let path: String
    let clock = ManualClock()
    let library: Library

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path("library.sqlite")
        library = try Library(path: path, clock: clock)
    }

    /// The same file as another process would have it open.
    func again() throws -> Library { try Library(path: path, clock: clock) }

    /// A material with these chunks.
    func material(_ texts: [String], subject: String = "subject") throws -> Int64 {
        let id: Int64
        do throws(PipelineError) { id = try library.subject(subject).id! } catch {
            id = try library.addSubject(subject).id!
        }
        let material = try library.addMaterial(
            subjectID: id, title: "material", sourcePath: nil)
        try library.replaceChunks(materialID: material.id!, Self.drafts(texts))
        return material.id!
    }

    static func drafts(_ texts: [String]) -> [ChunkDraft] {
        texts.map { ChunkDraft(text: $0, tokenCount: $0.utf8.count) }
    }

    static func texts(_ count: Int, prefix: String = "text") -> [String] {
        (0..<count).map { "\(prefix) \($0)" }
    }

    func processor(
        _ embedder: FakeEmbedder, memory: any MemoryReading = FixedMemory.plenty
    ) throws -> ContentProcessor {
        try library.beginGeneration(embedder.model)
        return ContentProcessor(library, embedder, memory: memory)
    }
}
