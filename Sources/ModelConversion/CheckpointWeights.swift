import Safetensors
import Transformer

/// Reads the encoder's tensors from a checkpoint, in any of its types, as float32.
struct CheckpointWeights {
    private let file: SafetensorsFile
    private let settings: CheckpointSettings
    /// `bert.` where the checkpoint was saved with a head.
    private let prefix: String

    init(_ settings: CheckpointSettings) throws(ConversionError) {
        self.settings = settings
        let directory = settings.transformer
        guard directory.exists("model.safetensors") else {
            let others = [
                "model.safetensors.index.json", "pytorch_model.bin", "model.onnx", "tf_model.h5",
            ]
            throw .noWeights(
                directory: directory.path.string, found: others.first(where: directory.exists))
        }
        let path = directory.file("model.safetensors")
        do {
            file = try SafetensorsFile(path: path)
        } catch let error as SafetensorsError {
            throw .safetensors(path: path, error)
        } catch let error as FileError {
            throw .file(error)
        } catch {
            throw .noWeights(directory: directory.path.string, found: nil)
        }
        prefix = file.tensor("bert.embeddings.word_embeddings.weight") == nil ? "" : "bert."
        try checkTensors()
    }

    /// The file's element types, for the provenance.
    var dtypes: String {
        Set(file.header.tensors.map(\.dtype.rawValue)).sorted().joined(separator: ",")
    }

    /// All tensors of a model file, named and fused as ``BertWeights/layout(_:)`` says.
    func convert() throws(ConversionError) -> ConvertedWeights {
        let converted = ConvertedWeights(settings.configuration)
        for layout in BertWeights.layout(settings.configuration) {
            let sources = Self.sources(of: layout.name)
            let count = layout.shape.reduce(1, *)
            var elements: [Float] = []
            for source in sources {
                // Of the token types, only the first row is ours.
                elements += try read(source).prefix(count / sources.count)
            }
            precondition(elements.count == count, "the sources do not fill \(layout.name)")
            converted.add(layout, elements)
        }
        return converted
    }

    /// The checkpoint's tensors that make one of ours.
    private static func sources(of name: String) -> [String] {
        guard let range = name.firstRange(of: "self.qkv.") else { return [name] }
        return ["query", "key", "value"].map {
            name.replacingCharacters(in: range, with: "self.\($0).")
        }
    }

    private func find(_ name: String) -> SafetensorsHeader.Tensor? {
        if let tensor = file.tensor(prefix + name) { return tensor }
        // Checkpoints that once were TensorFlow's call LayerNorm's parameters so.
        if name.hasSuffix("LayerNorm.weight") {
            return file.tensor(prefix + name.dropLast(6) + "gamma")
        }
        if name.hasSuffix("LayerNorm.bias") {
            return file.tensor(prefix + name.dropLast(4) + "beta")
        }
        return nil
    }

    private func read(_ name: String) throws(ConversionError) -> [Float] {
        guard let tensor = find(name) else { throw .missingTensor(prefix + name) }
        let bytes = file.bytes(of: tensor)
        let count = tensor.elementCount
        let elements: [Float]
        switch tensor.dtype {
        case .f32:
            elements = (0..<count).map {
                Float(
                    bitPattern: UInt32(
                        littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        case .f16:
            elements = (0..<count).map {
                Float(
                    Float16(
                        bitPattern: UInt16(
                            littleEndian: bytes.loadUnaligned(
                                fromByteOffset: 2 * $0, as: UInt16.self))))
            }
        case .bf16:
            elements = (0..<count).map {
                let half = UInt16(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
                return Float(bitPattern: UInt32(half) << 16)
            }
        default: throw .unsupportedDType(tensor: tensor.name, dtype: tensor.dtype.rawValue)
        }
        if let index = elements.firstIndex(where: { !$0.isFinite }) {
            throw .nonFiniteWeight(tensor: tensor.name, index: index)
        }
        return elements
    }

    /// The shape of each of the checkpoint's tensors that make one of ours.
    private func sourceShape(_ name: String, _ shape: [Int]) -> [Int] {
        name == "embeddings.token_type_embeddings.weight"
            ? [settings.tokenTypeCount] + shape
            : [shape[0] / Self.sources(of: name).count] + shape.dropFirst()
    }

    /// Checks that the tensors are those of the configuration before memory of its sizes is
    /// allocated. A tensor that is not the encoder's may mean that the model computes something
    /// else.
    private func checkTensors() throws(ConversionError) {
        var used: Set<String> = []
        for layout in BertWeights.layout(settings.configuration) {
            let expected = sourceShape(layout.name, layout.shape)
            for source in Self.sources(of: layout.name) {
                guard let tensor = find(source) else { throw .missingTensor(prefix + source) }
                guard tensor.shape == expected else {
                    throw .wrongShape(
                        tensor: tensor.name, expected: expected, actual: tensor.shape)
                }
                used.insert(tensor.name)
            }
        }
        // The pooler and the pre-training heads take no part in sentence vectors; position ids are
        // 0, 1, 2…
        let ignored = ["pooler.dense.weight", "pooler.dense.bias", "embeddings.position_ids"]
        used.formUnion(ignored.map { prefix + $0 })
        for tensor in file.header.tensors where !used.contains(tensor.name) {
            if !prefix.isEmpty, tensor.name.hasPrefix("cls.") { continue }
            throw .extraTensor(tensor.name)
        }
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<Index>, with text: String) -> String {
        String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
    }
}
