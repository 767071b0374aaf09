import JSON

/// The texts of a request: the parameter `input`, or `inputs`.
struct TextInput {
    /// The texts that are texts, each with the prompt before it.
    var texts: [String]
    /// The places of `texts` in the input; nil when every element is a text.
    var places: [Int]?
    /// Elements that are no texts, by their place.
    var failures: [(index: Int, error: RPCError)] = []
    /// Whether the input was one string, not an array.
    var isSingle: Bool

    /// The elements of the input.
    var count: Int { texts.count + failures.count }

    /// The bytes that the texts take in memory.
    var byteCount: Int { texts.reduce(0) { $0 + $1.utf8.count + 48 } }

    func place(_ index: Int) -> Int { places?[index] ?? index }

    /// - Throws: `RPCError` −32602.
    init(_ params: RPCParameters, prompt: String? = nil) throws(RPCError) {
        let name = params["input"] == nil && params["inputs"] != nil ? "inputs" : "input"
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
        texts.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            if let text = element.string {
                texts.append(prompted(text))
                places?.append(index)
            } else {
                if places == nil { places = Array(0..<index) }
                failures.append(
                    (
                        index,
                        .badParameter(
                            name, "element \(index) is \(element.typeName), expected a string")
                    ))
            }
        }
        // One bad text does not harm the others; texts that are none at all are a wrong call.
        if texts.isEmpty, let failure = failures.first { throw failure.error }
    }
}
