/// What these kernels were compiled for.
public enum Instructions {
    /// Whether products and sums are one instruction, rounded once.
    public static var areFused: Bool {
        #if FUSED_MULTIPLY_ADD
            true
        #else
            false
        #endif
    }
}
