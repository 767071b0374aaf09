/// The vectors of texts seen lately, found by their token ids; the least recently used go first.
///
/// A hit is the bits of the first computation. Ids are compared in full, so that no two texts are
/// ever mistaken for each other.
package struct VectorCache: Sendable {
    /// The most bytes that entries take, bookkeeping included.
    package private(set) var byteLimit: Int
    package private(set) var byteCount = 0
    package private(set) var hitCount = 0
    package private(set) var missCount = 0
    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    private var indices: [[Int32]: Int] = [:]
    /// The ends of the list from the most to the least recently used; -1 for none.
    private var newest = -1
    private var oldest = -1

    private struct Slot {
        var ids: [Int32]
        var vector: [Float]
        var newer: Int
        var older: Int
    }

    /// Two array headers, a slot and a dictionary entry.
    private static let overhead = 160

    package init(byteLimit: Int) { self.byteLimit = byteLimit }

    package var count: Int { indices.count }
    package var isEnabled: Bool { byteLimit > 0 }

    package mutating func vector(_ ids: [Int32]) -> [Float]? {
        guard isEnabled else { return nil }
        guard let index = indices[ids] else {
            missCount += 1
            return nil
        }
        hitCount += 1
        unlink(index)
        link(index)
        return slots[index].vector
    }

    package mutating func insert(_ ids: [Int32], _ vector: [Float]) {
        let size = Self.byteCount(ids, vector)
        guard size <= byteLimit, indices[ids] == nil else { return }
        evict(to: byteLimit - size)
        let slot = Slot(ids: ids, vector: vector, newer: -1, older: -1)
        let index: Int
        if let free = freeSlots.popLast() {
            slots[free] = slot
            index = free
        } else {
            slots.append(slot)
            index = slots.count - 1
        }
        indices[ids] = index
        byteCount += size
        link(index)
    }

    /// Drops the oldest entries until at most so many bytes are left.
    package mutating func evict(to target: Int) {
        while byteCount > target, oldest >= 0 {
            let index = oldest
            unlink(index)
            indices[slots[index].ids] = nil
            byteCount -= Self.byteCount(slots[index].ids, slots[index].vector)
            slots[index] = Slot(ids: [], vector: [], newer: -1, older: -1)
            freeSlots.append(index)
        }
    }

    private static func byteCount(_ ids: [Int32], _ vector: [Float]) -> Int {
        4 * (ids.count + vector.count) + overhead
    }

    private mutating func link(_ index: Int) {
        slots[index].older = newest
        slots[index].newer = -1
        if newest >= 0 { slots[newest].newer = index }
        newest = index
        if oldest < 0 { oldest = index }
    }

    private mutating func unlink(_ index: Int) {
        let (newer, older) = (slots[index].newer, slots[index].older)
        if newer >= 0 { slots[newer].older = older } else { newest = older }
        if older >= 0 { slots[older].newer = newer } else { oldest = newer }
    }
}
