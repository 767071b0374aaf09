import EmbeddingEngine
import ModelConversion
import Safetensors
import Testing
import Tokenization

/// Model files whose tokenizer is damaged.
struct HostileVocabularyTests {
    typealias Name = EmbeddingModel.TensorName

    private static func integers(_ values: [Int32]) -> [UInt8] {
        values.withUnsafeBytes(Array.init)
    }

    private static func ends(_ model: ModelCopy) -> [Int32] {
        model.raw[Name.tokenEnds].bytes.withUnsafeBytes { Array($0.bindMemory(to: Int32.self)) }
    }

    @Test(arguments: [
        (3, Int32(0)), (3, -1), (3, .min), (0, -1), (96, 0), (96, 1), (96, .max), (0, .max),
    ])
    func endThatDescendsOrLeavesTheBytesIsRefused(index: Int, end: Int32) throws {
        let model = try ModelCopy()
        var ends = Self.ends(model)
        ends[index] = end
        model.raw[Name.tokenEnds].bytes = Self.integers(ends)
        model.expectRefusal(
            .invalidSetting(
                path: model.path, key: Name.tokenEnds, value: "not ascending to the end"))
    }

    @Test(arguments: [1, -1])
    func lastEndThatIsNotTheLastByteIsRefused(offset: Int32) throws {
        let model = try ModelCopy()
        var ends = Self.ends(model)
        ends[96] += offset
        model.raw[Name.tokenEnds].bytes = Self.integers(ends)
        model.expectRefusal(
            .invalidSetting(
                path: model.path, key: Name.tokenEnds, value: "not ascending to the end"))
    }

    @Test(arguments: [0, 96, 98])
    func vocabularyOfAnotherSizeIsRefused(count: Int) throws {
        let model = try ModelCopy()
        var ends = Self.ends(model)
        ends = (0..<count).map { $0 == count - 1 ? ends[96] : ends[min($0, 96)] }
        if count == 0 {
            model.raw[Name.tokenBytes].shape = [0]
            model.raw[Name.tokenBytes].bytes = []
        }
        model.raw[Name.tokenEnds].shape = [count]
        model.raw[Name.tokenEnds].bytes = Self.integers(ends)
        model.expectRefusal(
            .vocabularySizeMismatch(path: model.path, tokens: count, embeddings: 97))
    }

    @Test func tokenOfNoBytesIsRefused() throws {
        let model = try ModelCopy()
        var ends = Self.ends(model)
        ends[50] = ends[49]
        model.raw[Name.tokenEnds].bytes = Self.integers(ends)
        model.expectRefusal(.tokenizer(path: model.path, .emptyToken(id: 50)))
    }

    @Test func tokenTwiceIsRefused() throws {
        let model = try ModelCopy()
        // "a" and "b" are tokens 5 and 6.
        let start = Int(Self.ends(model)[5])
        model.raw[Name.tokenBytes].bytes[start] = UInt8(ascii: "a")
        model.expectRefusal(
            .tokenizer(path: model.path, .duplicateToken("a", ids: [5, 6])))
    }

    @Test(arguments: [UInt8(0x80), 0xC3, 0xFF])
    func tokenThatIsNotUTF8IsRefused(byte: UInt8) throws {
        let model = try ModelCopy()
        model.raw[Name.tokenBytes].bytes[Int(Self.ends(model)[5])] = byte
        model.expectRefusal(.tokenizer(path: model.path, .tokenNotUTF8(id: 6)))
    }

    @Test(arguments: [Int32(97), -1, .max, .min])
    func addedTokenOutOfRangeIsRefused(id: Int32) throws {
        let model = try ModelCopy()
        model.raw[Name.addedTokenIDs].bytes = Self.integers([0, 1, 2, 3, id])
        model.expectRefusal(
            .tokenizer(
                path: model.path, .addedTokenOutOfRange(id: Int(id), vocabularySize: 97)))
    }

    @Test func modelWithoutAddedTokensOpens() throws {
        let model = try ModelCopy()
        model.raw[Name.addedTokenIDs].shape = [0]
        model.raw[Name.addedTokenIDs].bytes = []
        #expect(try model.embedder().embed(["[MASK]"]).tokenCounts[0] > 3)
    }

    @Test(arguments: [
        (Name.tokenBytes, DType.i8), (Name.tokenEnds, .u32), (Name.addedTokenIDs, .f32),
    ])
    func tensorOfAnotherTypeIsRefused(name: String, dtype: DType) throws {
        let model = try ModelCopy()
        let actual = DType(rawValue: model.raw[name].dtype.rawValue)!
        let shape = model.raw[name].shape
        model.raw[name].dtype = dtype
        model.expectRefusal(
            .safetensors(
                path: model.path,
                .unexpectedTensor(
                    name, expected: "\(actual.rawValue) \(shape)",
                    actual: "\(dtype.rawValue) \(shape)")))
    }

    @Test func tensorOfTwoDimensionsIsRefused() throws {
        let model = try ModelCopy()
        model.raw[Name.tokenEnds].shape = [1, 97]
        model.expectRefusal(
            .safetensors(
                path: model.path,
                .unexpectedTensor(Name.tokenEnds, expected: "I32 [97]", actual: "I32 [1, 97]")))
    }

    static let settings: [(key: String, value: String, error: TokenizerError)] = [
        ("unk_token", "", .missingToken("")),
        ("unk_token", "[unk]", .missingToken("[unk]")),
        ("cls_token", "[CLS] ", .missingToken("[CLS] ")),
        ("sep_token", "[SE", .missingToken("[SE")),
        ("wordpiece_count", "0", .wordPieceCountOutOfRange(0, vocabularySize: 97)),
        ("wordpiece_count", "98", .wordPieceCountOutOfRange(98, vocabularySize: 97)),
        ("wordpiece_count", "-1", .wordPieceCountOutOfRange(-1, vocabularySize: 97)),
        (
            "wordpiece_count", "9223372036854775807",
            .wordPieceCountOutOfRange(.max, vocabularySize: 97)
        ),
        ("max_input_chars_per_word", "0", .wordLimitOutOfRange(0)),
        ("max_input_chars_per_word", "-1", .wordLimitOutOfRange(-1)),
        ("max_input_chars_per_word", "10001", .wordLimitOutOfRange(10_001)),
        ("max_input_chars_per_word", "9223372036854775807", .wordLimitOutOfRange(.max)),
    ]

    @Test(arguments: settings)
    func settingThatMakesNoTokenizerIsRefused(
        key: String, value: String, error: TokenizerError
    ) throws {
        let model = try ModelCopy()
        model.raw.setMetadata(key, to: value)
        model.expectRefusal(.tokenizer(path: model.path, error))
    }

    @Test(arguments: ["", "#", String(repeating: "#", count: 100_000), "\0", "e\u{301}"])
    func anyContinuingPrefixEmbeds(prefix: String) throws {
        let model = try ModelCopy()
        model.raw.setMetadata("continuing_subword_prefix", to: prefix)
        #expect(try model.embedder().embed(["jumping", "[MASK]", ""]).count == 3)
    }
}
