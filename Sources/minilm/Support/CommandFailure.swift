import ArgumentParser
import EmbeddingEngine
import EmbeddingPipeline
import EmbeddingServer
import ModelConversion
import Safetensors
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a command that failed says, and its exit code (sysexits.h).
struct CommandFailure: Error {
    enum Code: Int32 {
        case someFailed = 1
        case usage = 64
        case dataError = 65
        case noInput = 66
        case `internal` = 70
        case cannotCreate = 73
        case ioError = 74
        case temporaryFailure = 75
        case noPermission = 77
        case interrupted = 130
    }

    var code: Code
    /// One line.
    var message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The failure that an error means; nil for those that ArgumentParser reports itself.
    init?(_ error: any Error) {
        switch error {
        case let error as CommandFailure: self = error
        case let error as FileError: self.init(file: error)
        case let error as ModelError:
            if case .file(let file) = error {
                self.init(file: file)
            } else {
                self.init(.dataError, error.description)
            }
        case let error as SafetensorsError: self.init(.dataError, error.description)
        case let error as ConversionError:
            switch error {
            case .file(let file): self.init(file: file)
            case .noWeights, .noVocabulary: self.init(.noInput, error.description)
            default: self.init(.dataError, error.description)
            }
        case let error as PipelineError: self.init(error)
        case let error as ModelComparison.Failure: self.init(.dataError, error.description)
        case let error as EmbeddingError:
            switch error {
            case .maximumTokenCountOutOfRange, .dimensionOutOfRange:
                self.init(.usage, error.description)
            case .textTooLong: self.init(.dataError, error.description)
            case .model, .noThreads: self.init(.internal, error.description)
            case .cancelled: self.init(.interrupted, error.description)
            case .file(let file): self.init(file: file)
            }
        case let error as Server.Failure: self.init(.ioError, error.description)
        case let error as Errno: self.init(.ioError, error.description)
        default: return nil
        }
    }

    private init(file error: FileError) {
        if error.isWriting {
            switch error.reason {
            case .system(.noSuchFileOrDirectory), .system(.notDirectory), .system(.isDirectory),
                .system(.permissionDenied), .system(.readOnlyFileSystem), .notRegular:
                self.init(.cannotCreate, error.description)
            default: self.init(.ioError, error.description)
            }
            return
        }
        switch error.reason {
        case .system(.noSuchFileOrDirectory), .system(.notDirectory):
            self.init(.noInput, error.description)
        case .system(.permissionDenied): self.init(.noPermission, error.description)
        case .notRegular, .empty: self.init(.dataError, error.description)
        case .changed, .system: self.init(.ioError, error.description)
        }
    }

    func report() -> Never {
        StandardError.print("minilm: \(message.singleLine)\n")
        StandardStreams.endProcess(code.rawValue)
    }
}

/// Messages for people.
enum StandardError {
    static func print(_ text: String) {
        var text = text
        text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Shows on a terminal, in place of what was shown before, how far the work is.
    static func show(_ text: String) { if isTerminal { print("\r\u{1B}[K\(text)") } }

    static func clear() { show("") }
}
