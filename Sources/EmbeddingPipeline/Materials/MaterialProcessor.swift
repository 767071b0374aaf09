import Crypto
import EmbeddingEngine
import Foundation
import TextExtraction
import Tokenization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Takes a material's text from its file and cuts it into chunks that fit the model's window.
public struct MaterialProcessor: Sendable {
    let library: Library
    private let extractor: TextExtractor
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
    }

    /// For the window of a model.
    public init(_ library: Library, model: EmbeddingModel) {
        self.init(
            library, tokenizer: model.tokenizer,
            maximumTokenCount: model.settings.maximumTokenCount)
    }

    /// Takes the text of a material's file anew, unless the file is unchanged. What goes wrong with
    /// the file is recorded with the material.
    ///
    /// - Parameters:
    ///   - lease: the task that this is done for.
    /// - Throws: `PipelineError`.
    public func extract(
        materialID: Int64, lease: TaskLease? = nil
    ) throws(PipelineError) -> Outcome {
        for _ in 0..<Self.triesWhileOthersWrite {
            let material = try library.material(id: materialID)
            guard let path = material.sourcePath else { return .unchanged }
            switch read(path, previous: material) {
            case .success(nil): return .unchanged
            case .success(let text?):
                if let changes = try store(text, material, lease, queuesEmbeddings: false) {
                    return .extracted(changes)
                }
            case .failure(let error):
                try library.failMaterial(
                    id: materialID, error.description, contentHash: material.contentHash)
                return .failed(error)
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
    ///   - recordsFailure: whether a new file that gives no text becomes a failed material.
    ///   - queuesEmbeddings: whether a task for its new chunks is queued with them.
    /// - Throws: `PipelineError`.
    public func add(
        path: String, title: String, subjectID: Int64, recordsFailure: Bool,
        queuesEmbeddings: Bool = false
    ) throws(PipelineError) -> Addition {
        var isNew = false
        for _ in 0..<Self.triesWhileOthersWrite {
            let known = try library.material(subjectID: subjectID, sourcePath: path)
            isNew = isNew || known == nil
            let result = read(path, previous: known)
            // What is not there is a mistake in the name, and no material.
            if case .failure(let error) = result, known == nil,
                !recordsFailure || error == .notFound || error == .notARegularFile
            {
                return Addition(materialID: nil, isNew: true, outcome: .failed(error))
            }
            let material: Material
            if let known {
                material = known
            } else {
                material = try library.addMaterial(
                    subjectID: subjectID, title: title, sourcePath: path)
            }
            var outcome: Outcome?
            switch result {
            case .success(nil): outcome = .unchanged
            case .success(let text?):
                if let changes = try store(
                    text, material, nil, queuesEmbeddings: queuesEmbeddings)
                {
                    outcome = .extracted(changes)
                }
            case .failure(let error):
                try library.failMaterial(
                    id: material.id ?? 0, error.description, contentHash: material.contentHash)
                outcome = .failed(error)
            }
            if let outcome {
                return Addition(materialID: material.id, isNew: isNew, outcome: outcome)
            }
        }
        return Addition(materialID: nil, isNew: isNew, outcome: .failed(.changedWhileRead))
    }

    private struct SourceText {
        var text: ExtractedText
        var digest: String
    }

    /// - Returns: nil when the file is as it was.
    private func read(
        _ path: String, previous: Material?
    ) -> Result<SourceText?, ExtractionError> {
        Result { () throws(ExtractionError) in
            let digest = FileDigest.sha256(path: path)
            if let digest, let previous, digest == previous.contentHash, previous.hasText {
                return nil
            }
            let text = try extractor.extract(path: path)
            guard let after = FileDigest.sha256(path: path), after == digest else {
                throw ExtractionError.changedWhileRead
            }
            return SourceText(text: text, digest: after)
        }
    }

    /// - Returns: nil when someone else has stored another version since the file was read.
    private func store(
        _ source: SourceText, _ material: Material, _ lease: TaskLease?, queuesEmbeddings: Bool
    ) throws(PipelineError) -> ChunkChanges? {
        let drafts = chunker.chunks(of: source.text).map { chunk in
            ChunkDraft(
                text: chunk.text, tokenCount: chunk.tokenCount, byteRange: chunk.byteRange)
        }
        let text = MaterialText(
            drafts: drafts, mediaType: source.text.mediaType.rawValue,
            contentHash: source.digest, previousHash: material.contentHash, lease: lease,
            queuesEmbeddings: queuesEmbeddings)
        return try library.storeText(materialID: material.id ?? 0, text)
    }
}

extension Material {
    /// Whether its text was taken, so that the same file need not be read again.
    fileprivate var hasText: Bool {
        processingStatus == .extracted || processingStatus == .completed
    }
}

/// Digests of whole files.
enum FileDigest {
    /// SHA-256 in hexadecimal; nil where the file cannot be read.
    static func sha256(path: String) -> String? {
        var status = stat()
        // Opening a pipe would wait for a writer.
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            let file = FileHandle(forReadingAtPath: path)
        else { return nil }
        var digest = SHA256()
        do {
            while let data = try file.read(upToCount: 1 << 20), !data.isEmpty {
                digest.update(data: data)
            }
        } catch {
            return nil
        }
        return digest.finalize().map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }
}
