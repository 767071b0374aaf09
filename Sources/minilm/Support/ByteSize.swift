import ArgumentParser

/// A number of bytes as people write it: 200000000, 200MB, 1.5GiB.
struct ByteSize: ExpressibleByArgument, Equatable {
    var byteCount: Int

    private static let units: [(String, Double)] = [
        ("KIB", 1024), ("MIB", 1_048_576), ("GIB", 1_073_741_824), ("KB", 1e3), ("MB", 1e6),
        ("GB", 1e9),
        ("K", 1e3), ("M", 1e6), ("G", 1e9), ("B", 1), ("", 1),
    ]

    init?(argument: String) {
        let text = argument.uppercased()
        guard let (suffix, unit) = Self.units.first(where: { text.hasSuffix($0.0) }),
            let number = Double(text.dropLast(suffix.count)), number >= 0,
            let count = Int(exactly: (number * unit).rounded(.down)), count <= 1 << 48
        else { return nil }
        byteCount = count
    }
}
