import EmbeddingEngine
import EmbeddingPipeline

extension CommandFailure {
    init(_ error: PipelineError) {
        if case .engine(let error) = error, let failure = CommandFailure(error) {
            self = failure
            return
        }
        let code: Code =
            switch error {
            case .libraryNotFound, .noSuchSubject, .noSuchMaterial, .noSuchChunk, .noSuchTask,
                .noVectors:
                .noInput
            case .cannotOpen: .cannotCreate
            case .corrupt, .newerSchema, .subjectExists, .otherModel: .dataError
            case .readOnly: .noPermission
            case .busy, .leaseLost: .temporaryFailure
            case .diskFull, .inputOutput: .ioError
            case .database, .engine: .internal
            case .emptyName: .usage
            case .stopped: .interrupted
            }
        self.init(code, error.description)
    }
}
