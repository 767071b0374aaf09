/// What a parser of markup tells, in the order of the document. Names are local: without prefix.
class MarkupHandler {
    /// The line of the source that the parser is at, from 1.
    fileprivate(set) var line = 0
    /// Set by a handler that cannot go on; the parser ends.
    var failure: ExtractionError?

    func start(_ name: String, _ attributes: MarkupAttributes) {}
    func end(_ name: String) {}
    func text(_ text: UnsafeBufferPointer<UInt8>) {}

    /// Runs what may fail; its failure ends the parser.
    final func attempt(_ body: () throws(ExtractionError) -> Void) {
        guard failure == nil else { return }
        do throws(ExtractionError) { try body() } catch { failure = error }
    }

    final func isAt(line: Int) { self.line = line }
}

/// An element's attributes, valid while the handler is called.
struct MarkupAttributes {
    let list: UnsafeMutablePointer<UnsafePointer<UInt8>?>?

    /// An attribute by its local name.
    subscript(name: StaticString) -> String? {
        guard var pair = list else { return nil }
        while let key = pair[0] {
            if Self.isEqual(key, name) { return pair[1].map { String(cString: $0) } ?? "" }
            pair += 2
        }
        return nil
    }

    private static func isEqual(_ key: UnsafePointer<UInt8>, _ name: StaticString) -> Bool {
        var local = key
        var i = key
        while i.pointee != 0 {
            if i.pointee == UInt8(ascii: ":") { local = i + 1 }
            i += 1
        }
        guard i - local == name.utf8CodeUnitCount else { return false }
        for offset in 0..<name.utf8CodeUnitCount where local[offset] != name.utf8Start[offset] {
            return false
        }
        return true
    }
}
