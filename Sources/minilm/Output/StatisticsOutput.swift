import EmbeddingPipeline
import JSON

extension ChunkStatistics {
    /// As members of a JSON object.
    var members: [JSONValue.Member] {
        [
            .init("chunks", .integer(chunkCount)),
            .init("pending", .integer(pendingCount)),
            .init("completed", .integer(completedCount)),
            .init("failed", .integer(failedCount)),
            .init("set_aside", .integer(setAsideCount)),
            .init("missing_vectors", .integer(missingVectorCount)),
            .init("stale_vectors", .integer(staleCount)),
            .init("completion_rate", .number(completionRate)),
        ]
    }

    /// The share of chunks with a vector of the model; 100 % only when none is missing.
    var completionText: String {
        guard completionRate < 1 else { return "100 %" }
        return "\(min(99.9, completionRate * 100).fixed(1)) %"
    }
}

extension LibraryStatistics {
    var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("subjects", .integer(subjectCount)),
            .init("subjects_with_materials", .integer(subjectsWithMaterialsCount)),
            .init(
                "subjects_without_materials", .integer(subjectCount - subjectsWithMaterialsCount)),
            .init("materials", .integer(materialCount)),
            .init("materials_with_chunks", .integer(materialsWithChunksCount)),
            .init(
                "materials_without_chunks", .integer(materialCount - materialsWithChunksCount)),
        ]
        for status in Material.ProcessingStatus.allCases {
            members.append(
                .init(
                    "materials_\(status.rawValue)", .integer(materialsByStatus[status] ?? 0)))
        }
        return .object(members + chunks.members)
    }

    /// For people.
    func print() {
        let without = subjectCount - subjectsWithMaterialsCount
        let empty = materialCount - materialsWithChunksCount
        Swift.print(
            "subjects    \(subjectCount) (\(subjectsWithMaterialsCount) with materials, \(without) without)"
        )
        Swift.print(
            "materials   \(materialCount) (\(materialsWithChunksCount) with chunks, \(empty) without), \(materialsByStatus[.failed] ?? 0) failed"
        )
        Swift.print(
            "chunks      \(chunks.chunkCount): \(chunks.completedCount) completed, "
                + "\(chunks.pendingCount) pending, \(chunks.failedCount) failed"
                + (chunks.setAsideCount > 0 ? " (\(chunks.setAsideCount) set aside)" : ""))
        Swift.print(
            "vectors     \(chunks.missingVectorCount) missing, \(chunks.staleCount) of another model"
        )
        Swift.print("complete    \(chunks.completionText)")
    }
}
