/// The panels of a packed matrix that a product is taken with, and the rows of them.
public struct ProductPart {
    /// `[panels, inner, 16]`, as `Panels` says.
    public var weight: UnsafePointer<Float>
    /// The rows of each panel.
    public var inner: Int
    /// The columns of the matrix; the last panel may have fewer than 16.
    public var columns: Int
    /// Which panels.
    public var panels: Range<Int>
    /// Which rows of each panel; the others are another product's.
    public var rows: Range<Int>
    /// What this thread will read after this part, if that is known.
    public var next: UnsafePointer<Float>?

    public init(
        weight: UnsafePointer<Float>, inner: Int, columns: Int, panels: Range<Int>,
        rows: Range<Int>, next: UnsafePointer<Float>? = nil
    ) {
        self.weight = weight
        self.inner = inner
        self.columns = columns
        self.panels = panels
        self.rows = rows
        self.next = next
    }
}
