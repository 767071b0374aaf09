import EmbeddingPipeline
import JSON

/// The check of a library, as `minilm verify --library` shows it.
struct LibraryVerification {
    var path: String
    var isCheckOnly: Bool
    var isQuick: Bool
    var json: Bool
    var isQuiet: Bool

    func run(_ model: ModelIdentity) throws {
        var options = Library.Options()
        options.creates = false
        let library = try Library(path: path, options)
        let progress = WorkProgress(isQuiet: isQuiet)
        let report: VerificationReport
        do throws(PipelineError) {
            report = try library.verify(
                model, repairs: !isCheckOnly, checksFile: !isQuick
            ) { done, total in
                if done > 0 { progress.showChunks(done, of: total) }
                return !Signals.isStopRequested
            }
        } catch {
            progress.finish()
            throw error
        }
        progress.finish()
        if json {
            report.json.printLine()
        } else if !isQuiet || !report.isSound {
            report.print()
        }
        if let damage = report.damage.first {
            throw CommandFailure(.dataError, "\(path): damaged: \(damage); restore it from a copy")
        }
        guard report.isSound else {
            throw CommandFailure(
                .someFailed,
                isCheckOnly
                    ? "\(path): not in order; without --check-only it is put right"
                    : "\(path): \(report.requeuedMaterialCount) materials queued; `minilm worker` or `minilm generate-missing-embeddings` embeds them"
            )
        }
    }
}

extension VerificationReport {
    private var counts: [(name: String, count: Int)] {
        [
            ("chunks", chunkCount), ("missing", missingCount), ("stale", staleCount),
            ("invalid", invalidCount), ("edited", editedCount), ("orphaned", orphanedCount),
            ("requeued_materials", requeuedMaterialCount),
        ]
    }

    fileprivate var json: JSONValue {
        .object(
            counts.map { .init($0.name, .integer($0.count)) } + [
                .init("damage", .array(damage.map { .string($0) })),
                .init("sound", .bool(isSound)),
            ])
    }

    fileprivate func print() {
        let width = (counts.map(\.name.count).max() ?? 0) + 2
        for (name, count) in counts {
            let label = name.map { $0 == "_" ? " " : String($0) }.joined()
            Swift.print(label + String(repeating: " ", count: width - label.count) + "\(count)")
        }
        for line in damage { Swift.print("damage: \(line)") }
    }
}
