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
    /// The file has more bytes than the extractor's limit.
    case tooLarge(bytes: Int, limit: Int)
    /// The file was written, truncated or replaced in place while it was read.
    case changedWhileRead
    /// There is no extractor for this type.
    case unsupported(MediaType)
    /// It has NUL bytes, or is UTF-16 by its byte order mark but not decodable as such: no text.
    case binary
    /// The file has no bytes, or nothing but white space.
    case empty

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
        }
    }
}
