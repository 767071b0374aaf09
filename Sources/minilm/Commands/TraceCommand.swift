import ArgumentParser
import EmbeddingEngine
import Safetensors
import Tokenization
import Transformer

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract:
            "Write every stage's tensors of one text to a safetensors file, to compare implementations.",
        discussion: """
            Tensors: ids, hidden.0 (after the embeddings), hidden.N (after layer N), and
            of each layer from 0 qkv.N, attention.N (heads, queries, keys), context.N,
            attention_output.N, intermediate.N; embedding.
            """)

    @Argument(help: "The text.") var text: String
    @Argument(help: "The file to write.") var out: String
    @OptionGroup var options: ModelOptions

    mutating func run() throws {
        let model = try options.embedder().model
        let truncation = Truncation(maximumTokenCount: model.settings.maximumTokenCount)
        let ids = model.tokenizer.encode(text, truncation: truncation).ids
        var batch = PackedBatch()
        batch.append(ids)

        let recorder = TraceRecorder(headCount: model.settings.configuration.attentionHeadCount)
        var vector = [Float](repeating: 0, count: model.dimension)
        try vector.withUnsafeMutableBufferPointer {
            try model.encoder.forward(
                batch, workspace: EncoderWorkspace(), normalize: model.settings.normalize,
                into: $0, tap: EncoderTap(recorder.record))
        }
        var writer = SafetensorsWriter(metadata: [
            ("text", text), ("model", model.settings.name),
            ("fingerprint", model.settings.fingerprint),
        ])
        writer.add("ids", [ids.count], ids)
        for tensor in recorder.tensors { writer.add(tensor.name, tensor.shape, tensor.elements) }
        writer.add("embedding", [vector.count], vector)
        try writer.write(to: out)
    }
}

/// Collects what the tap sees.
private final class TraceRecorder {
    private(set) var tensors: [(name: String, shape: [Int], elements: [Float])] = []
    private let headCount: Int

    init(headCount: Int) { self.headCount = headCount }

    func record(
        _ stage: EncoderTap.Stage, _ rows: Int, _ columns: Int, _ x: UnsafePointer<Float>
    ) {
        let elements = Array(UnsafeBufferPointer(start: x, count: rows * columns))
        switch stage {
        case .hidden(let n): tensors.append(("hidden.\(n)", [rows, columns], elements))
        case .qkv(let n): tensors.append(("qkv.\(n)", [rows, columns], elements))
        case .context(let n): tensors.append(("context.\(n)", [rows, columns], elements))
        case .attentionOutput(let n):
            tensors.append(("attention_output.\(n)", [rows, columns], elements))
        case .intermediate(let n):
            tensors.append(("intermediate.\(n)", [rows, columns], elements))
        case .attention(let n, _, let head):
            if head == 0 {
                tensors.append(("attention.\(n)", [headCount, rows, columns], []))
            }
            tensors[tensors.count - 1].elements += elements
        }
    }
}
