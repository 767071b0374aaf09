import JSON
import Safetensors
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A directory of a Hugging Face checkpoint.
struct CheckpointDirectory {
    let path: FilePath
    /// No file but the weights is larger in any model of this kind.
    static let fileSizeLimit = 64 << 20

    func file(_ name: String) -> String { path.appending(name).string }

    /// The directory's own name, also where the path is `.`.
    var name: String {
        guard let real = realpath(path.string, nil) else {
            return path.lastComponent?.string ?? "model"
        }
        defer { free(real) }
        return FilePath(String(cString: real)).lastComponent?.string ?? "model"
    }

    /// Whether a path leads to one of the files that a conversion reads.
    func holds(_ other: String) -> Bool {
        var status = stat()
        guard stat(other, &status) == 0 else { return false }
        return ["model.safetensors", "config.json", "tokenizer.json", "vocab.txt"].contains {
            var own = stat()
            return stat(file($0), &own) == 0 && own.st_dev == status.st_dev
                && own.st_ino == status.st_ino
        }
    }

    func exists(_ name: String) -> Bool { access(file(name), F_OK) == 0 }

    /// A directory below this one, as modules.json names it.
    func subdirectory(_ name: String) throws(ConversionError) -> CheckpointDirectory {
        if name.isEmpty || name == "." { return self }
        // A path ends at its first NUL: what stands behind it would be ignored.
        guard !name.utf8.contains(0), let component = FilePath.Component(name),
            component.kind == .regular
        else {
            throw .invalidSetting(path: file("modules.json"), key: "path", value: "\"\(name)\"")
        }
        return CheckpointDirectory(path: path.appending(component))
    }

    func contents(_ name: String) throws(ConversionError) -> [UInt8] {
        let mapped: MappedFile
        do throws(FileError) { mapped = try MappedFile(path: file(name)) } catch {
            throw .file(error)
        }
        guard mapped.bytes.count <= Self.fileSizeLimit else {
            throw .fileTooLarge(
                path: file(name), byteCount: mapped.bytes.count, limit: Self.fileSizeLimit)
        }
        return Array(mapped.bytes)
    }

    func json(_ name: String) throws(ConversionError) -> JSONFile {
        let bytes = try contents(name)
        do throws(JSONError) {
            return JSONFile(path: file(name), root: try JSONValue(parsing: bytes))
        } catch {
            throw .json(path: file(name), error)
        }
    }

    func jsonIfPresent(_ name: String) throws(ConversionError) -> JSONFile? {
        exists(name) ? try json(name) : nil
    }
}

/// A parsed JSON file, for errors that name it.
struct JSONFile {
    let path: String
    let root: JSONValue

    /// A setting of the root object; nil when it is missing or null.
    func value<Value>(
        _ key: String, _ read: (JSONValue) -> Value?
    ) throws(ConversionError) -> Value? {
        guard let json = root[key], !json.isNull else { return nil }
        guard let value = read(json) else { throw invalid(key) }
        return value
    }

    func required<Value>(
        _ key: String, _ read: (JSONValue) -> Value?
    ) throws(ConversionError) -> Value {
        guard let value = try value(key, read) else {
            throw .missingSetting(path: path, key: key)
        }
        return value
    }

    func invalid(_ key: String) -> ConversionError {
        .invalidSetting(path: path, key: key, value: root[key].map(Self.shown) ?? "nothing")
    }

    static func shown(_ value: JSONValue) -> String {
        var writer = JSONWriter()
        writer.value(value)
        return String(decoding: writer.bytes.prefix(200), as: UTF8.self)
    }
}
