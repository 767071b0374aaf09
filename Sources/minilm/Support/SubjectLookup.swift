import EmbeddingPipeline

/// The subject that a command names.
enum SubjectLookup {
    /// - Parameter creates: whether it is made where there is none.
    /// - Returns: its id.
    static func find(_ name: String, in library: Library, creates: Bool) throws -> Int64 {
        do throws(PipelineError) {
            return try library.subject(name).id ?? 0
        } catch {
            if case .noSuchSubject = error, creates {
                return try library.addSubject(name).id ?? 0
            }
            if case .noSuchSubject = error {
                throw CommandFailure(
                    .noInput, "\(error.description) (--create-subject makes it)")
            }
            throw error
        }
    }
}
