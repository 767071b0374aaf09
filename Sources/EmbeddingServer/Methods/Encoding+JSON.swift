import JSON
import Tokenization

extension JSONWriter {
    /// Writes the members `ids`, `tokens`, `offsets` (bytes of the text's UTF-8) and `dropped` of an
    /// open object.
    package mutating func members(of encoding: Encoding, _ tokenizer: Tokenizer) {
        key("ids")
        beginArray()
        for id in encoding.ids { integer(id) }
        endArray()
        key("tokens")
        strings(encoding.ids.map { tokenizer.token($0) ?? "" })
        key("offsets")
        beginArray()
        for offset in encoding.offsets {
            beginArray()
            integer(offset.lowerBound)
            integer(offset.upperBound)
            endArray()
        }
        endArray()
        key("dropped")
        integer(encoding.droppedTokenCount)
    }
}
