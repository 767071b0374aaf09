import EmbeddingEngine
import EmbeddingPipeline
import JSON
import Logging

/// A run over what is missing, as commands show it.
struct Backfill {
    var selection: ChunkSelection
    var options = ContentProcessor.Options()
    var isQuiet = false
    var reading = ReadingOptions()
    var logger = Logger(label: "minilm", factory: { _ in SwiftLogNoOpLogHandler() })

    /// Runs, and says what was done.
    ///
    /// - Throws: `CommandFailure` with code 1 when some have failed, 130 when it was stopped.
    func run(_ library: Library, _ engine: Embedder, json: Bool) throws {
        ProcessMemory.keepFlat()
        let progress = WorkProgress(isQuiet: isQuiet)
        let processor = ContentProcessor(library, EngineChunkEmbedder(engine), logger: logger)
        let backfill = MissingEmbeddings(
            processor, reading.processor(library, engine.model))
        var options = options
        options.waitsForOthers = true
        let start = ContinuousClock.now
        let report: MissingEmbeddings.Report
        do throws(PipelineError) {
            report = try backfill.run(
                selection, options, isStopRequested: { Signals.isStopRequested },
                onMaterial: { progress.showFiles($0, of: $1) }, onProgress: { progress.show($0) })
        } catch {
            progress.finish()
            // A stop ends a wait for the lock.
            if case .busy = error { try Signals.check("while the library was locked") }
            throw error
        }
        progress.finish()
        let elapsed = ContinuousClock.now - start
        if json {
            report.json(elapsed).printLine()
        } else if !isQuiet {
            report.print(elapsed)
        }
        try report.check()
    }
}

extension MissingEmbeddings.Report {
    fileprivate func json(_ elapsed: Duration) -> JSONValue {
        let failures = processing.failures.map { failure in
            JSONValue.object([
                .init("chunk_id", .integer(failure.chunkID)),
                .init("material_id", .integer(failure.materialID)),
                .init("reason", .string(failure.reason)),
            ])
        }
        let materials = failedMaterials.map { failure in
            JSONValue.object([
                .init("material_id", .integer(failure.materialID)),
                .init("reason", .string(failure.reason)),
            ])
        }
        return .object([
            .init("materials_read", .integer(extractedMaterialCount)),
            .init("completed", .integer(processing.completedCount)),
            .init("reused", .integer(processing.reusedCount)),
            .init("superseded", .integer(processing.supersededCount)),
            .init("failed", .integer(processing.failedCount)),
            .init("set_aside", .integer(setAsideCount)),
            .init("left", .integer(left.chunkCount)),
            .init("interrupted", .bool(processing.isStopped)),
            .init("seconds", .number(elapsed.seconds)),
            .init("failures", .array(failures)),
            .init("failed_materials", .array(materials)),
        ])
    }

    fileprivate func print(_ elapsed: Duration) {
        if extractedMaterialCount > 0 {
            Swift.print("\(extractedMaterialCount.counted("material")) read")
        }
        let count = processing.completedCount
        let rate = Double(count) / max(elapsed.seconds, 1e-9)
        let isIdle =
            count == 0 && processing.reusedCount == 0 && processing.supersededCount == 0
            && processing.failures.isEmpty && failedMaterials.isEmpty && setAsideCount == 0
        if isIdle {
            if extractedMaterialCount == 0 { Swift.print("nothing to do") }
        } else {
            var line = "\(count) embedded in \(elapsed.short) (\(rate.fixed(1))/s)"
            if processing.reusedCount > 0 {
                line += ", \(processing.reusedCount) of equal text served"
            }
            if processing.supersededCount > 0 {
                line += ", \(processing.supersededCount) edited or deleted meanwhile"
            }
            Swift.print(line + ", \(processing.failedCount) failed")
        }
        for failure in processing.failures.prefix(20) {
            Swift.print(
                "  chunk \(failure.chunkID) of material \(failure.materialID): \(failure.reason)")
        }
        if processing.failures.count > 20 {
            Swift.print("  and \(processing.failures.count - 20) more: minilm status --failed")
        }
        for failure in failedMaterials.prefix(20) {
            Swift.print("  material \(failure.materialID): \(failure.reason)")
        }
        if left.chunkCount > 0, processing.failedCount == 0 {
            Swift.print("  \(left.chunkCount.counted("chunk")) left in need")
        }
        if setAsideCount > 0 {
            Swift.print(
                "  \(setAsideCount) set aside, for they ended the process (--failed-only tries again)"
            )
        }
    }

    fileprivate func check() throws(CommandFailure) {
        if processing.isStopped {
            throw CommandFailure(
                .interrupted,
                "interrupted after \(processing.completedCount.counted("chunk")); run it again to go on"
            )
        }
        let failedCount = processing.failedCount + failedMaterials.count + setAsideCount
        guard failedCount == 0 else {
            throw CommandFailure(
                .someFailed,
                "\((processing.failedCount + setAsideCount).counted("chunk")) and \(failedMaterials.count.counted("material")) failed: see minilm status --failed"
            )
        }
    }
}
