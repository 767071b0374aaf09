/// How token vectors become a text's vector.
public enum PoolingMode: String, Sendable, CaseIterable {
    case mean
    /// The vector of the first token, `[CLS]`.
    case cls
    case max
}
