import Crypto
import EmbeddingEngine
import Foundation
import TextExtraction
import Tokenization

/// Takes a material's text from its file and cuts it into chunks that fit the model's window.
public struct MaterialProcessor: Sendable {
    let library: Library
    let extractor: TextExtractor
    private let chunker: Chunker

    /// - Parameters:
    ///   - maximumTokenCount: the model's window, special tokens included.
    public init(
        _ library: Library, tokenizer: Tokenizer, maximumTokenCount: Int,
        extractor: TextExtractor = TextExtractor()
    ) {
        self.library = library
        self.extractor = extractor
        chunker = Chunker(tokenizer: tokenizer, maximumTokenCount: maximumTokenCount)
    }

    /// Why a material has no chunks, or what an extraction did.
    public enum Outcome: Sendable, Equatable {
        /// The file is as it was when its text was last taken.
        case unchanged
        case extracted(ChunkChanges)
        case failed(ExtractionError)
        /// The file is as it was when no text could be taken from it.
        case failedBefore(String)
    }

    /// For the window of a model.
    public init(
        _ library: Library, model: EmbeddingModel, extractor: TextExtractor = TextExtractor()
    ) {
        self.init(
            library, tokenizer: model.tokenizer,
            maximumTokenCount: model.settings.maximumTokenCount, extractor: extractor)
    }

    /// Takes the text of a material's file anew, unless the file is unchanged. What goes wrong with
    /// the file is recorded with the material.
    ///
    /// - Parameters:
    ///   - retries: whether a file that no text could be taken from is tried again as it is.
    ///   - lease: the task that this is done for.
    /// - Throws: `PipelineError`.
    public func extract(
        materialID: Int64, retries: Bool = false, lease: TaskLease? = nil
    ) throws(PipelineError) -> Outcome {
        for _ in 0..<Self.triesWhileOthersWrite {
            let material = try library.material(id: materialID)
            guard let path = material.sourcePath else { return .unchanged }
            let options = try library.subject(id: material.subjectID).chunkOptions
            let result = read(path, material, options, retries: retries)
            if let outcome = try record(
                result, material, options, lease, queuesEmbeddings: false)
            {
                return outcome
            }
        }
        return .failed(.changedWhileRead)
    }

    /// How often a file is read anew because someone else has stored a version of it meanwhile.
    private static let triesWhileOthersWrite = 5

    /// A file that was added to a subject.
    public struct Addition: Sendable, Equatable {
        /// Nil when the file gave no text and that was not to be recorded.
        public var materialID: Int64?
        public var isNew: Bool
        public var outcome: Outcome
    }

    /// Adds a file to a subject, or takes its text anew where it was added before.
    ///
    /// - Parameters:
    ///   - recordsFailure: whether a new file that is no document at all becomes a failed material;
    ///     a document that gives no text always does.
    ///   - retries: whether a file that no text could be taken from is tried again as it is.
    ///   - queuesEmbeddings: whether a task for its new chunks is queued with them.
    /// - Throws: `PipelineError`.
    public func add(
        path: String, title: String, subjectID: Int64, recordsFailure: Bool,
        retries: Bool = true, queuesEmbeddings: Bool = false
    ) throws(PipelineError) -> Addition {
        let options = try library.subject(id: subjectID).chunkOptions
        var isNew = false
        for _ in 0..<Self.triesWhileOthersWrite {
            let known = try library.material(subjectID: subjectID, sourcePath: path)
            isNew = isNew || known == nil
            let result = read(path, known, options, retries: retries)
            if case .failed(let error, _) = result, known == nil,
                !error.isRecorded(isNamed: recordsFailure)
            {
                if error == .stopped { throw .stopped }
                return Addition(materialID: nil, isNew: true, outcome: .failed(error))
            }
            let material: Material
            if let known {
                material = known
            } else {
                material = try library.addMaterial(
                    subjectID: subjectID, title: title, sourcePath: path)
            }
            if let outcome = try record(
                result, material, options, nil, queuesEmbeddings: queuesEmbeddings)
            {
                return Addition(materialID: material.id, isNew: isNew, outcome: outcome)
            }
        }
        return Addition(materialID: nil, isNew: isNew, outcome: .failed(.changedWhileRead))
    }

    private enum Reading {
        case unchanged
        case failedBefore(String)
        case text(ExtractedText, digest: String)
        case failed(ExtractionError, digest: String?)
    }

    private func read(
        _ path: String, _ known: Material?, _ options: ChunkOptions, retries: Bool
    ) -> Reading {
        var digest: String?
        do throws(ExtractionError) {
            let file = try SourceFile(
                path: path, maximumByteCount: extractor.limits.fileByteCount)
            let hash = try FileDigest.sha256(file)
            digest = hash
            if let known {
                if known.isUpToDate(hash, chunking(options)) { return .unchanged }
                if hash == known.failedHash, !retries, let reason = known.lastError {
                    return .failedBefore(reason)
                }
            }
            let text = try extractor.extract(file, name: path)
            return .text(text, digest: hash)
        } catch {
            return .failed(error, digest: digest)
        }
    }

    /// - Returns: nil when someone else has stored another version since the file was read.
    private func record(
        _ reading: Reading, _ material: Material, _ options: ChunkOptions, _ lease: TaskLease?,
        queuesEmbeddings: Bool
    ) throws(PipelineError) -> Outcome? {
        switch reading {
        case .unchanged: return .unchanged
        case .failedBefore(let reason): return .failedBefore(reason)
        case .failed(.stopped, _): throw .stopped
        case .failed(let error, let digest):
            try library.failMaterial(
                id: material.id ?? 0, error.description, contentHash: material.contentHash,
                failedHash: error.isPassing ? nil : digest)
            return .failed(error)
        case .text(let text, let digest):
            let title = material.title.split(separator: "/").last.map(String.init) ?? ""
            let drafts = chunker.with(options)
                .chunks(of: text, title: FileName.stem(title)).map(ChunkDraft.init)
            let text = MaterialText(
                drafts: drafts, mediaType: text.mediaType.rawValue, contentHash: digest,
                chunking: chunking(options), previousHash: material.contentHash, lease: lease,
                queuesEmbeddings: queuesEmbeddings)
            return try library.storeText(materialID: material.id ?? 0, text)
                .map(Outcome.extracted)
        }
    }

    /// How text is cut by options, in a word: cut otherwise, it is cut anew.
    func chunking(_ options: ChunkOptions) -> String {
        let size = chunker.with(options).maximumTokenCount
        return "\(size)/\(options.overlapTokenCount)/\(options.context?.pattern ?? "")"
    }
}

enum FileName {
    /// A name without what follows its last dot.
    static func stem(_ name: String) -> String {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
        return String(name[..<dot])
    }

    /// What follows the last dot of a path.
    static func suffix(_ path: String) -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        return String(name.dropFirst(stem(name).count))
    }
}

extension ChunkDraft {
    init(_ chunk: TextChunk) {
        self.init(
            text: chunk.text, tokenCount: chunk.tokenCount,
            context: chunk.context.isEmpty ? nil : chunk.context, byteRange: chunk.byteRange,
            place: chunk.place)
    }
}

extension ExtractionError {
    /// Whether a new file that gives it becomes a material. What is not there is a mistake in the
    /// name; in a folder there are also pictures, programs and empty files.
    func isRecorded(isNamed: Bool) -> Bool {
        switch self {
        case .notFound, .notARegularFile, .stopped: false
        case .unsupported, .binary, .empty: isNamed
        default: true
        }
    }
}

extension Material {
    /// Whether its text was taken, so that the same file need not be read again.
    var hasText: Bool { processingStatus == .extracted || processingStatus == .completed }

    /// Whether its text was taken from this content and cut in this way.
    ///
    /// - Parameter way: nil for any.
    func isUpToDate(_ digest: String, _ way: String?) -> Bool {
        digest == contentHash && hasText && (chunking == nil || way == nil || chunking == way)
    }
}

/// Digests of whole files.
package enum FileDigest {
    /// SHA-256 in hexadecimal.
    package static func sha256(_ file: SourceFile) throws(ExtractionError) -> String {
        var digest = SHA256()
        try file.forEachBlock { digest.update(bufferPointer: $0) }
        return digest.finalize().map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }
}
