/// Groups texts into batches by a budget of tokens.
package enum BatchPlanner {
    /// - Parameters:
    ///   - lengths: tokens of each text.
    ///   - tokenBudget: the most tokens of a batch; a text beyond it gets a batch of its own.
    /// - Returns: indexes of texts, a list a batch: long texts first, so that the last batches are
    ///   small and all threads end together.
    package static func batches(lengths: [Int], tokenBudget: Int) -> [[Int]] {
        // Sorting is stable by index, so that the same texts always make the same batches.
        let order = lengths.indices.sorted {
            (lengths[$1], $0) < (lengths[$0], $1)
        }
        var batches: [[Int]] = []
        var room = 0
        for index in order {
            if batches.isEmpty || lengths[index] > room {
                batches.append([])
                room = tokenBudget
            }
            batches[batches.count - 1].append(index)
            room -= lengths[index]
        }
        return batches
    }
}
