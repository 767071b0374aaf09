import EmbeddingEngine

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension Double {
    /// A decimal with a fixed number of digits after the point.
    func fixed(_ digits: Int) -> String {
        var buffer = [CChar](repeating: 0, count: 400)
        let count = withVaList([Int32(digits), self]) {
            vsnprintf(&buffer, buffer.count, "%.*f", $0)
        }
        return String(
            decoding: buffer[..<Int(count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension Int {
    /// With the noun that is counted: 1 chunk, 2 chunks.
    func counted(_ noun: String) -> String { "\(self) \(noun)\(self == 1 ? "" : "s")" }
}

extension Duration {
    /// A time to go or gone: 42 s, 3:07 min, 2:05:00 h.
    var short: String {
        let total = Int(seconds.rounded())
        func two(_ n: Int) -> String { n < 10 ? "0\(n)" : "\(n)" }
        if total < 60 { return "\(seconds < 10 ? seconds.fixed(1) : String(total)) s" }
        if total < 3600 { return "\(total / 60):\(two(total % 60)) min" }
        return "\(total / 3600):\(two(total / 60 % 60)):\(two(total % 60)) h"
    }
}
