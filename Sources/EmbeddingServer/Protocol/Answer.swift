import JSON

/// Where the answer to one request goes. Exactly one of the sending methods is called, once.
struct Answer: Sendable {
    let id: JSONValue
    private let output: OutputQueue
    /// The batch array that the request is part of.
    private let batch: (group: BatchAnswer, index: Int)?

    init(
        id: JSONValue, _ output: OutputQueue, batch: (group: BatchAnswer, index: Int)? = nil
    ) {
        self.id = id
        self.output = output
        self.batch = batch
    }

    /// - Parameters:
    ///   - pieces: the JSON of the result.
    ///   - onEnd: see ``OutputLine/onEnd``.
    func send(
        result pieces: [ArraySlice<UInt8>],
        onEnd: (@Sendable () -> Void)? = nil
    ) {
        send("result", pieces, onEnd: onEnd)
    }

    func send(result json: JSONWriter) {
        send("result", [json.bytes[...]])
    }

    func send(_ error: RPCError, onEnd: (@Sendable () -> Void)? = nil) {
        var json = JSONWriter()
        error.write(to: &json)
        send("error", [json.bytes[...]], onEnd: onEnd)
    }

    /// Sends a notification that belongs to the request, before its answer.
    ///
    /// - Parameter isWanted: false from the moment when the answer is about to be sent.
    func notify(_ method: String, _ params: JSONWriter, isWanted: () -> Bool) {
        var json = JSONWriter()
        json.beginObject()
        json.key("jsonrpc")
        json.string("2.0")
        json.key("method")
        json.string(method)
        json.key("params")
        json.append(params)
        json.endObject()
        json.endLine()
        output.enqueue(OutputLine([json.bytes[...]]), waits: true, isWanted: isWanted)
    }

    private func send(
        _ kind: String, _ pieces: [ArraySlice<UInt8>],
        onEnd: (@Sendable () -> Void)? = nil
    ) {
        var json = JSONWriter()
        json.beginObject()
        json.key("jsonrpc")
        json.string("2.0")
        json.key("id")
        json.value(id)
        json.key(kind)
        let all = [json.bytes[...]] + pieces + [[UInt8(ascii: "}")]]
        if let batch {
            batch.group.send(batch.index, all, onEnd: onEnd)
        } else {
            output.enqueue(OutputLine(all + [[0x0A]], onEnd: onEnd))
        }
    }
}
