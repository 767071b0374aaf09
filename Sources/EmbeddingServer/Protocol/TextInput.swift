import JSON

/// The texts of a request: the parameter `input`, or `inputs`.
struct TextInput {
    /// The texts that are texts, each with the prompt before it.
    var texts: [String]
    /// The places of `texts` in the input; nil when every element is a text.
    var places: [Int]?
    /// The places of elements that are no texts, each with the type that it is instead.
    private(set) var strays: [(index: Int, typeName: String)] = []
    private let name: String
    /// Whether the input was one string, not an array.
    var isSingle: Bool

    /// The elements of the input.
    var count: Int { texts.count + strays.count }

    /// The bytes that the texts take in memory.
    var byteCount: Int { texts.reduce(256 * strays.count) { $0 + $1.utf8.count + 48 } }

    /// The errors of elements that are no texts.
    var failures: [(index: Int, error: RPCError)] { strays.map { ($0.index, error($0)) } }

    private func error(_ stray: (index: Int, typeName: String)) -> RPCError {
        .badParameter(name, "element \(stray.index) is \(stray.typeName), expected a string")
    }

    func place(_ index: Int) -> Int { places?[index] ?? index }

    /// - Parameter limit: the most elements.
    /// - Throws: `RPCError` −32602, −32002.
    init(_ params: RPCParameters, limit: Int, prompt: String? = nil) throws(RPCError) {
        name = params["input"] == nil && params["inputs"] != nil ? "inputs" : "input"
        if name == "input", params["inputs"] != nil {
            throw .badParameter("inputs", "given beside input")
        }
        guard let input = params[name] else { throw .badParameter("input", "missing") }
        func prompted(_ text: String) -> String { prompt.map { $0 + text } ?? text }
        if let text = input.string {
            (texts, isSingle) = ([prompted(text)], true)
            return
        }
        guard let elements = input.array else {
            throw .badParameter(name, "\(input.typeName), expected a string or an array of strings")
        }
        (texts, isSingle) = ([], false)
        guard elements.count <= limit else {
            throw .tooLarge("max_client_batch_size", count: elements.count, limit: limit)
        }
        texts.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            if let text = element.string {
                texts.append(prompted(text))
                places?.append(index)
            } else {
                if places == nil { places = Array(0..<index) }
                strays.append((index, element.typeName))
            }
        }
        // One bad text does not harm the others; texts that are none at all are a wrong call.
        if texts.isEmpty, let stray = strays.first { throw error(stray) }
    }
}
