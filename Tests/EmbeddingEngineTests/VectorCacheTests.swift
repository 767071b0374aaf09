import EmbeddingEngine
import TestSupport
import Testing

@Suite struct VectorCacheTests {
    @Test func theLeastRecentlyUsedGoFirst() {
        var cache = VectorCache(byteLimit: 3 * (160 + 4 * 3))
        for id in Int32(1)...3 { cache.insert([id], [Float(id), 0]) }
        #expect(cache.vector([1]) == [1, 0])
        cache.insert([4], [4, 0])
        #expect(cache.vector([2]) == nil)
        #expect(cache.vector([1]) == [1, 0])
        #expect(cache.count == 3)
        #expect(cache.hitCount == 2)
        #expect(cache.missCount == 1)
        cache.evict(to: 0)
        #expect(cache.count == 0)
        #expect(cache.byteCount == 0)
    }

    @Test func itNeverGrowsBeyondItsLimit() {
        var generator = SeededGenerator(seed: 2)
        var cache = VectorCache(byteLimit: 10_000)
        for _ in 0..<5000 {
            let id = Int32.random(in: 0..<200, using: &generator)
            let ids = [Int32](repeating: id, count: Int(id) + 1)
            if let vector = cache.vector(ids) {
                #expect(vector == [Float(id)])
            } else {
                cache.insert(ids, [Float(id)])
            }
            #expect(cache.byteCount <= 10_000)
        }
        #expect(cache.hitCount > 100)
    }

    @Test func withoutRoomItKeepsNothing() {
        var cache = VectorCache(byteLimit: 0)
        cache.insert([1], [1])
        #expect(!cache.isEnabled)
        #expect(cache.vector([1]) == nil)
    }
}
