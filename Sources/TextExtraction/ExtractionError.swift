import SystemPackage

/// Why a file gives no text. One case a defect; none is repaired.
///
/// The caller knows the path; no case and no message carries it, or any of the file's text.
public enum ExtractionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Nothing stands at the path.
    case notFound
    /// A directory, a FIFO, a socket or a device.
    case notARegularFile
    case permissionDenied
    /// The system does not let the file be opened or read for another reason.
    case unreadable(Errno)
    /// The file has more bytes than are accepted of its type.
    case tooLarge(bytes: Int, limit: Int)
    /// The file was written, truncated or replaced in place while it was read.
    case changedWhileRead
    /// There is no extractor for this type.
    case unsupported(MediaType)
    /// It has NUL bytes, or is UTF-16 by its byte order mark but not decodable as such: no text.
    case binary
    /// The file has no bytes, or nothing but white space.
    case empty
    /// A document without text.
    case noText(MediaType)
    /// The pages of a PDF are pictures.
    case noTextLayer(pages: Int)
    /// A password is needed.
    case encrypted
    /// What the type demands is not there, or the file ends too early.
    case damaged(MediaType, reason: String)
    /// It unpacks to more than is accepted: an archive bomb.
    case unpacksTooLarge(limit: Int)
    /// An archive with more files than are accepted.
    case tooManyEntries(limit: Int)
    /// A name in an archive leads out of it.
    case unsafeArchivePath
    /// XML that declares entities, which may grow without bound or name other files.
    case entityDeclarations
    /// It has more text than is accepted.
    case tooMuchText(limit: Int)
    /// It has more pages or slides than are accepted.
    case tooManyPages(limit: Int)
    /// Reading it did not end in time.
    case tookTooLong(seconds: Int)
    /// The program that reads it needed more memory than it may have, or was ended by a signal.
    case toolFailed(tool: String, signal: Int32)
    /// A program that reads this type is not installed.
    case missingTool(tool: String, package: String)
    /// Asked to stop.
    case stopped

    /// The defect behind an error of `open` or `read`.
    package init(_ errno: Errno) {
        switch errno {
        case .noSuchFileOrDirectory, .notDirectory: self = .notFound
        case .permissionDenied, .notPermitted: self = .permissionDenied
        // What opening a socket gives.
        case .noSuchAddressOrDevice, .isDirectory: self = .notARegularFile
        default: self = .unreadable(errno)
        }
    }

    public var description: String {
        switch self {
        case .notFound: "no such file"
        case .notARegularFile: "not a regular file"
        case .permissionDenied: "no permission to read the file"
        case .unreadable(let errno): "the file cannot be read: \(errno.description)"
        case .tooLarge(let bytes, let limit):
            "the file has \(bytes) bytes, more than the \(limit) that are accepted"
        case .changedWhileRead: "the file was changed while it was read"
        case .unsupported(let mediaType):
            "there is no way to get text from \(mediaType.rawValue)"
        case .binary: "the file is not text"
        case .empty: "the file has no text"
        case .noText(let mediaType): "there is no text in this \(mediaType.name)"
        case .noTextLayer(let pages):
            "no text layer: \(pages) \(pages == 1 ? "page" : "pages") of pictures; run OCR on it first"
        case .encrypted: "encrypted: a password is needed"
        case .damaged(let mediaType, let reason): "damaged \(mediaType.name): \(reason)"
        case .unpacksTooLarge(let limit):
            "it unpacks to more than the \(limit >> 20) MB that are accepted"
        case .tooManyEntries(let limit): "it packs more than the \(limit) files that are accepted"
        case .unsafeArchivePath: "a name in the archive leads out of it"
        case .entityDeclarations: "its XML declares entities, which are not expanded"
        case .tooMuchText(let limit):
            "it has more than the \(limit >> 20) MB of text that are accepted"
        case .tooManyPages(let limit): "it has more than the \(limit) pages that are accepted"
        case .tookTooLong(let seconds):
            "reading it took longer than the \(seconds) s that are accepted"
        case .toolFailed(let tool, let signal):
            "\(tool) was ended by signal \(signal); it may have needed more memory than it may have"
        case .missingTool(let tool, let package):
            "\(tool) is not installed; as root: apt-get install \(package)"
        case .stopped: "stopped"
        }
    }
}
