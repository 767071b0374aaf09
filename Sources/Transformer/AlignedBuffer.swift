/// Uninitialized floats on a 64-byte boundary.
final class AlignedBuffer {
    private(set) var pointer: UnsafeMutablePointer<Float>
    private(set) var count: Int

    init(count: Int) {
        self.count = count
        pointer = Self.allocate(count)
    }

    /// Makes room for `count` floats, whose values are lost.
    func grow(_ count: Int) {
        guard self.count < count else { return }
        // The old ones go first: both at once would be more than was planned for.
        UnsafeMutableRawPointer(pointer).deallocate()
        pointer = Self.allocate(count)
        self.count = count
    }

    private static func allocate(_ count: Int) -> UnsafeMutablePointer<Float> {
        UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
            .bindMemory(to: Float.self, capacity: max(count, 1))
    }

    deinit { UnsafeMutableRawPointer(pointer).deallocate() }
}
