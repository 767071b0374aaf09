/// Which steps of `BertNormalizer` are on.
struct NormalizationSteps: Sendable, Equatable {
    var cleanText = true
    var handleChineseCharacters = true
    var stripAccents = true
    var lowercase = true
}

/// The pinned Unicode tables as sets, for composing a ``ScalarTable``; not for the text's path.
struct NormalizationSets {
    /// What one scalar becomes.
    struct Fate {
        struct Part {
            var scalar: UInt32
            /// Flags of ``ScalarTable/Entry``.
            var flags: UInt32
        }
        var parts: [Part]
        var isIsolated: Bool
    }

    private let blank = Self.members(UnicodeTables.blank)
    private let marks = Self.members(UnicodeTables.nonspacingMarks)
    private let whitespace = Self.members(UnicodeTables.whitespace)
    private let punctuation = Self.members(UnicodeTables.punctuation)
    private let decompositions = Self.mapping(UnicodeTables.decompositions)
    private let lowercase = Self.mapping(UnicodeTables.lowercase)
    private let combiningClasses: [UInt32: UInt8]

    init() {
        var classes: [UInt32: UInt8] = [:]
        let table = UnicodeTables.combiningClasses
        for i in stride(from: 0, to: table.count, by: 3) {
            for scalar in table[i + 1]...table[i + 2] { classes[scalar] = UInt8(table[i]) }
        }
        combiningClasses = classes
    }

    /// The scalars that some step changes or some flag marks, but for those that only a range sets.
    var unusualScalars: Set<UInt32> {
        blank.union(marks).union(whitespace).union(punctuation)
            .union(decompositions.keys).union(lowercase.keys).union(combiningClasses.keys)
    }

    func isRemoved(_ scalar: UInt32, _ steps: NormalizationSteps) -> Bool {
        steps.cleanText && Self.contains(UnicodeTables.removed, scalar)
    }

    func fate(of scalar: UInt32, _ steps: NormalizationSteps) -> Fate {
        let cleaned = steps.cleanText && blank.contains(scalar) ? 0x20 : scalar
        let decomposed = steps.stripAccents ? decompositions[cleaned] ?? [cleaned] : [cleaned]
        var parts: [Fate.Part] = []
        for part in decomposed {
            let combining =
                steps.stripAccents && combiningClasses[part] != nil
                ? ScalarTable.Entry.combining : 0
            if steps.stripAccents, marks.contains(part) {
                parts.append(.init(scalar: part, flags: ScalarTable.Entry.dropped | combining))
                continue
            }
            for lowered in steps.lowercase ? lowercase[part] ?? [part] : [part] {
                var flags = combining
                if whitespace.contains(lowered) { flags |= ScalarTable.Entry.whitespace }
                if punctuation.contains(lowered) { flags |= ScalarTable.Entry.punctuation }
                parts.append(.init(scalar: lowered, flags: flags))
            }
        }
        return Fate(
            parts: parts,
            isIsolated: steps.handleChineseCharacters
                && Self.contains(UnicodeTables.ideographs, scalar))
    }

    /// Combining classes by the scalars that stand in normalized text: a mark's lower case takes
    /// the mark's class.
    func loweredCombiningClasses(_ steps: NormalizationSteps) -> [UInt32: UInt8] {
        var classes: [UInt32: UInt8] = [:]
        for (scalar, combiningClass) in combiningClasses {
            classes[scalar] = combiningClass
            for lowered in steps.lowercase ? lowercase[scalar] ?? [] : [] {
                classes[lowered] = combiningClass
            }
        }
        return classes
    }

    private static func contains(_ pairs: [UInt32], _ scalar: UInt32) -> Bool {
        stride(from: 0, to: pairs.count, by: 2)
            .contains { pairs[$0] <= scalar && scalar <= pairs[$0 + 1] }
    }

    private static func members(_ pairs: [UInt32]) -> Set<UInt32> {
        var members: Set<UInt32> = []
        for i in stride(from: 0, to: pairs.count, by: 2) {
            members.formUnion(pairs[i]...pairs[i + 1])
        }
        return members
    }

    private static func mapping(_ table: [UInt32]) -> [UInt32: [UInt32]] {
        var mapping: [UInt32: [UInt32]] = [:]
        var i = 0
        while i < table.count {
            let count = Int(table[i + 1])
            mapping[table[i]] = Array(table[i + 2..<i + 2 + count])
            i += 2 + count
        }
        return mapping
    }
}
