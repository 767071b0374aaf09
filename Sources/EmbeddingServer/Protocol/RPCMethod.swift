/// The methods of the protocol.
enum RPCMethod: String, CaseIterable, Sendable {
    case initialize, embed, tokenize, count, plan, info, stats
    case cancelRequest = "$/cancelRequest"
    case shutdown
}
