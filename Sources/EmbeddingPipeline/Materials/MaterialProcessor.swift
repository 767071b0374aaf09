import Crypto
import EmbeddingEngine
import Foundation
import TextExtraction
import Tokenization

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
    /// - Throws: `PipelineError`.
    public func extract(materialID: Int64) throws(PipelineError) -> Outcome {
        let material = try library.material(id: materialID)
        guard let path = material.sourcePath else { return .unchanged }
        switch read(path, previous: material) {
        case .success(nil): return .unchanged
        case .success(let text?): return .extracted(try store(text, materialID))
        case .failure(let error):
            try library.failMaterial(id: materialID, error.description)
            return .failed(error)
        }
    }

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
    /// - Throws: `PipelineError`.
    public func add(
        path: String, title: String, subjectID: Int64, recordsFailure: Bool
    ) throws(PipelineError) -> Addition {
        let known = try library.material(subjectID: subjectID, sourcePath: path)
        let text: SourceText?
        switch read(path, previous: known) {
        case .success(let new): text = new
        case .failure(let error):
            guard known != nil || recordsFailure else {
                return Addition(materialID: nil, isNew: true, outcome: .failed(error))
            }
            let id = try register(known, path, title, subjectID)
            try library.failMaterial(id: id, error.description)
            return Addition(materialID: id, isNew: known == nil, outcome: .failed(error))
        }
        let id = try register(known, path, title, subjectID)
        guard let text else {
            return Addition(materialID: id, isNew: false, outcome: .unchanged)
        }
        let changes = try store(text, id)
        return Addition(materialID: id, isNew: known == nil, outcome: .extracted(changes))
    }

    private func register(
        _ known: Material?, _ path: String, _ title: String, _ subjectID: Int64
    ) throws(PipelineError) -> Int64 {
        if let id = known?.id { return id }
        return try library.addMaterial(subjectID: subjectID, title: title, sourcePath: path).id ?? 0
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

    private func store(
        _ source: SourceText, _ materialID: Int64
    ) throws(PipelineError) -> ChunkChanges {
        let drafts = chunker.chunks(of: source.text).map { chunk in
            ChunkDraft(
                text: chunk.text, tokenCount: chunk.tokenCount, byteRange: chunk.byteRange)
        }
        return try library.replaceChunks(
            materialID: materialID, drafts, mediaType: source.text.mediaType.rawValue,
            contentHash: source.digest)
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
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
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
