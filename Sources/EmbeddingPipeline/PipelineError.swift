import EmbeddingEngine
import GRDB

/// Why the pipeline could not do something.
public enum PipelineError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The library's file is not there.
    case libraryNotFound(path: String)
    /// The library's file cannot be opened or made.
    case cannotOpen(path: String, reason: String)
    /// The file is no SQLite database, or its content is damaged.
    case corrupt(path: String, reason: String)
    /// A newer version of the program has written the library.
    case newerSchema(path: String)
    /// The file or its directory may not be written.
    case readOnly(path: String)
    /// Another process kept the library locked for longer than the wait.
    case busy(path: String)
    /// No space is left where the library is.
    case diskFull(path: String)
    /// The system failed to read or write.
    case inputOutput(path: String, reason: String)
    /// SQLite reports something else.
    case database(String)
    case noSuchSubject(String)
    case noSuchMaterial(Int64)
    case noSuchChunk(Int64)
    case noSuchTask(Int64)
    case subjectExists(String)
    /// A name of nothing, or of white space only.
    case emptyName
    /// The library's vectors are made by another model than the one at hand.
    case otherModel(library: String, given: String)
    /// No vector is there to search.
    case noVectors
    /// The lease of a task or of chunks has gone to someone else.
    case leaseLost
    /// The engine cannot go on at all.
    case engine(EmbeddingError)
    /// Asked to stop.
    case stopped

    public var description: String {
        switch self {
        case .libraryNotFound(let path): "\(path): no library there"
        case .cannotOpen(let path, let reason): "\(path): cannot be opened: \(reason)"
        case .corrupt(let path, let reason):
            "\(path): damaged, or no library: \(reason); restore it from a copy"
        case .newerSchema(let path): "\(path): written by a newer minilm; use that one"
        case .readOnly(let path): "\(path): may not be written"
        case .busy(let path): "\(path): locked by another process; try again"
        case .diskFull(let path): "\(path): no space left on the disk"
        case .inputOutput(let path, let reason): "\(path): \(reason)"
        case .database(let reason): "database: \(reason)"
        case .noSuchSubject(let name): "no subject \(name)"
        case .noSuchMaterial(let id): "no material \(id)"
        case .noSuchChunk(let id): "no chunk \(id)"
        case .noSuchTask(let id): "no task \(id)"
        case .subjectExists(let name): "there is a subject \"\(name)\" already"
        case .emptyName: "a name must not be empty"
        case .otherModel(let library, let given):
            "the library's vectors are of model \(library.prefix(12)), not of \(given.prefix(12))"
        case .noVectors: "no chunk has an embedding yet; run: minilm generate-missing-embeddings"
        case .leaseLost: "the work was taken over by another process"
        case .engine(let error): error.description
        case .stopped: "stopped"
        }
    }

    /// The case that a thrown error means.
    init(_ error: any Error, path: String) {
        switch error {
        case let error as PipelineError: self = error
        case let error as EmbeddingError: self = .engine(error)
        case let error as DatabaseError:
            // What stands in a damaged file may be quoted there.
            let reason = (error.message ?? "SQLite error \(error.resultCode.rawValue)")
                .unicodeScalars.map { $0.properties.generalCategory == .control ? " " : "\($0)" }
                .joined()
            self =
                switch error.resultCode {
                case .SQLITE_BUSY, .SQLITE_LOCKED: .busy(path: path)
                case .SQLITE_FULL: .diskFull(path: path)
                case .SQLITE_READONLY, .SQLITE_PERM: .readOnly(path: path)
                case .SQLITE_CORRUPT, .SQLITE_NOTADB: .corrupt(path: path, reason: reason)
                case .SQLITE_CANTOPEN: .cannotOpen(path: path, reason: reason)
                case .SQLITE_IOERR: .inputOutput(path: path, reason: reason)
                default: .database(reason)
                }
        case is RowDecodingError:
            self = .corrupt(path: path, reason: "a row holds what cannot be there")
        default: self = .database(String(describing: error))
        }
    }

    /// Whether it says nothing of the work at hand: all other work would meet it too.
    var concernsAllWork: Bool {
        switch self {
        case .cannotOpen, .corrupt, .newerSchema, .readOnly, .busy, .diskFull, .inputOutput,
            .otherModel, .engine:
            true
        default: false
        }
    }

    /// Whether the same may go well later: what is locked, full or lost for now.
    public var isPassing: Bool {
        switch self {
        case .busy, .diskFull, .inputOutput, .leaseLost, .readOnly, .cannotOpen, .database: true
        case .engine(let error): error.isPassing
        default: false
        }
    }
}

extension EmbeddingError {
    /// Whether the same text may go well later.
    var isPassing: Bool {
        switch self {
        case .maximumTokenCountOutOfRange, .dimensionOutOfRange, .textTooLong, .model: false
        // A model file that was changed stays so: whoever has it open must open it anew.
        case .file: false
        case .cancelled, .noThreads: true
        }
    }

    /// Whether it says nothing of the text: every other text would meet it too.
    var concernsAllTexts: Bool {
        switch self {
        case .textTooLong, .model: false
        case .maximumTokenCountOutOfRange, .dimensionOutOfRange, .cancelled, .file, .noThreads:
            true
        }
    }
}
