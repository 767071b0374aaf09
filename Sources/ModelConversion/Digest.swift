import Crypto
import EmbeddingEngine
import Safetensors
import Transformer

/// SHA-256 digests in hexadecimal.
enum Digest {
    static func hex(_ bytes: UnsafeRawBufferPointer) -> String {
        var hash = SHA256()
        hash.update(bufferPointer: bytes)
        return hex(hash)
    }

    /// The fingerprint of a model: its weights, tokenizer and settings, wherever it was converted and
    /// however they are stored: weights count as they stand in a checkpoint.
    ///
    /// - Parameter tensor: hands the bytes of the tensor of a name, as in a checkpoint, to its second
    ///   argument.
    static func fingerprint(
        _ settings: ModelSettings, tensor: (String, (UnsafeRawBufferPointer) -> Void) -> Void
    ) -> String {
        var hash = SHA256()
        func update(_ text: String) { hash.update(data: Array(text.utf8)) }
        update("minilm-1\n")
        for (key, value) in settings.computation { update("\(key)=\(value.utf8.count):\(value)\n") }
        let names =
            [
                EmbeddingModel.TensorName.tokenBytes, EmbeddingModel.TensorName.tokenEnds,
                EmbeddingModel.TensorName.addedTokenIDs,
            ] + BertWeights.layout(settings.configuration).map(\.name)
        for name in names {
            tensor(name) { bytes in
                update("\(name):\(bytes.count)\n")
                hash.update(bufferPointer: bytes)
            }
        }
        return hex(hash)
    }

    private static func hex(_ hash: SHA256) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: hash.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self)
    }
}
