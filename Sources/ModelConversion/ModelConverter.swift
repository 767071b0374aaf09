import EmbeddingEngine
import Safetensors
import SystemPackage
import Tokenization
import Transformer

/// Makes a model file of a Hugging Face sentence-transformers checkpoint.
public enum ModelConverter {
    /// Texts whose vectors, computed in double precision, travel in the file.
    static let selfTestTexts = [
        "", "The quick brown fox jumps over the lazy dog.",
        "na\u{EF}ve caf\u{E9} 東京 [MASK] unbelievably",
    ]

    /// Converts a checkpoint. The same checkpoint and name give the same bytes, on any machine.
    ///
    /// - Parameters:
    ///   - directory: config.json, model.safetensors, tokenizer.json or vocab.txt, modules.json…
    ///   - output: where the model file goes; it appears whole or not at all.
    ///   - name: the model's name; nil for the directory's.
    /// - Returns: the settings that were written.
    /// - Throws: `ConversionError`.
    @discardableResult
    public static func convert(
        directory path: String, output: String, name: String? = nil
    ) throws(ConversionError) -> ModelSettings {
        let directory = CheckpointDirectory(path: FilePath(path))
        let checkpoint = try CheckpointSettings(directory)
        guard !directory.holds(output), !checkpoint.transformer.holds(output) else {
            throw .outputIsInput(path: output)
        }
        let (tokenizerSettings, tokenizerFile) = try CheckpointTokenizer.settings(
            checkpoint.transformer)
        let rows = checkpoint.configuration.vocabularySize
        guard tokenizerSettings.tokens.count == rows else {
            throw .vocabularySizeMismatch(
                tokens: tokenizerSettings.tokens.count, embeddings: rows)
        }
        let tokenizer: Tokenizer
        do throws(TokenizerError) { tokenizer = try Tokenizer(tokenizerSettings) } catch {
            throw .tokenizer(error)
        }
        let weights = try CheckpointWeights(checkpoint)

        var settings = ModelSettings(
            name: name ?? directory.name,
            configuration: checkpoint.configuration, pooling: checkpoint.pooling,
            normalize: checkpoint.normalize, maximumTokenCount: checkpoint.maximumTokenCount,
            tokenizer: .init(tokenizerSettings))
        settings.provenance = try provenance(
            checkpoint.transformer, tokenizerFile, dtypes: weights.dtypes)

        let converted = try weights.convert()
        let tokenizerTensors = TokenizerTensors(tokenizerSettings)
        settings.fingerprint = Digest.fingerprint(settings) { name, hash in
            if let bytes = tokenizerTensors.bytes(name) {
                bytes.withUnsafeBytes(hash)
            } else if let tensor = converted.tensors.first(where: { $0.layout.name == name }) {
                tensor.layout.logical(tensor.elements).withUnsafeBytes(hash)
            }
        }
        settings.selfTestTexts = selfTestTexts
        let vectors = try selfTestVectors(settings, tokenizer, converted.weights)

        var writer = SafetensorsWriter(metadata: settings.metadata)
        tokenizerTensors.add(to: &writer)
        for tensor in converted.tensors {
            writer.add(
                tensor.layout.name, tensor.layout.storedShape, borrowing: tensor.elements)
        }
        writer.add(
            EmbeddingModel.TensorName.selfTestVectors,
            [selfTestTexts.count, settings.configuration.hiddenSize], vectors)
        guard writer.headerByteCount <= SafetensorsHeader.lengthLimit else {
            throw .settingsTooLong(
                byteCount: writer.headerByteCount, limit: SafetensorsHeader.lengthLimit)
        }
        do throws(FileError) { try writer.write(to: output) } catch { throw .file(error) }
        withExtendedLifetime(converted) {}
        return settings
    }

    private static func provenance(
        _ directory: CheckpointDirectory, _ tokenizerFile: String, dtypes: String
    ) throws(ConversionError) -> [String: String] {
        var provenance = ["converter": "minilm \(EngineVersion.current)", "dtype": dtypes]
        for name in ["config.json", "model.safetensors", tokenizerFile] {
            do throws(FileError) {
                let file = try MappedFile(path: directory.file(name))
                provenance["\(name).sha256"] = Digest.hex(file.bytes)
            } catch {
                throw .file(error)
            }
        }
        return provenance
    }

    /// The self-test texts' vectors in double precision, which the engine must reach before anything
    /// is written.
    private static func selfTestVectors(
        _ settings: ModelSettings, _ tokenizer: Tokenizer, _ weights: BertWeights
    ) throws(ConversionError) -> [Float] {
        let truncation = Truncation(maximumTokenCount: settings.maximumTokenCount)
        let encoder = BertEncoder(settings.configuration, weights, pooling: settings.pooling)
        let reference = ReferenceEncoder(encoder)
        var batch = PackedBatch()
        var expected: [Float] = []
        for (index, text) in settings.selfTestTexts.enumerated() {
            let ids = tokenizer.encodeIDs(text, truncation: truncation).ids
            let vector = reference.forward(ids, normalize: settings.normalize).map { Float($0) }
            guard vector.allSatisfy(\.isFinite) else { throw .nonFiniteVector(selfTest: index) }
            batch.append(ids)
            expected += vector
        }
        var actual = [Float](repeating: 0, count: expected.count)
        let result = actual.withUnsafeMutableBufferPointer { output in
            Result { () throws(TransformerError) in
                try encoder.forward(
                    batch, workspace: EncoderWorkspace(), normalize: settings.normalize,
                    into: output)
            }
        }
        do throws(TransformerError) { try result.get() } catch {
            guard case .nonFiniteOutput(let index) = error else { throw .configuration(error) }
            throw .nonFiniteVector(selfTest: index)
        }
        let difference = ModelVerification.largestDifference(actual, expected)
        guard difference <= ModelVerification.tolerance else {
            throw .selfTestFailed(difference: difference)
        }
        return expected
    }
}
