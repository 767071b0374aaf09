import Safetensors
import Testing

/// What a sound header gives.
struct HeaderTests {
    @Test func emptyObjectHasNothing() throws {
        let header = try parse(fileBytes("{}"))
        #expect(header.tensors.isEmpty)
        #expect(header.metadata.isEmpty)
    }

    @Test func spacesMayFollowTheObject() throws {
        #expect(try parse(fileBytes("{} \n\t  ")).tensors.isEmpty)
    }

    @Test func tensorsComeInTheOrderOfTheirBytes() throws {
        let header = try parse(
            fileBytes(
                "{\(entry("b", offsets: "[4,8]")),\(entry("a", offsets: "[8,12]")),\(entry("c"))}",
                dataByteCount: 12))
        let start = 8 + 3 * entry("a", offsets: "[4,8]").utf8.count + 4 + 1
        #expect(header.tensors.map(\.name) == ["c", "b", "a"])
        #expect(
            header.tensors.map(\.fileRange) == [
                start..<start + 4, start + 4..<start + 8, start + 8..<start + 12,
            ])
    }

    @Test func metadataKeepsItsOrder() throws {
        let header = try parse(fileBytes(#"{"__metadata__":{"b":"1","a":"","\u00e9":"\u0000"}}"#))
        #expect(header.metadata.map(\.key) == ["b", "a", "\u{E9}"])
        #expect(header.metadata.map(\.value) == ["1", "", "\0"])
    }

    @Test func scalarHasOneElement() throws {
        let header = try parse(fileBytes("{\(entry(shape: "[]"))}", dataByteCount: 4))
        #expect(header.tensors.map(\.shape) == [[]])
        #expect(header.tensors.map(\.elementCount) == [1])
    }

    @Test(arguments: [[0], [0, 3], [3, 0], [0, 1 << 62, 1 << 62], [0, .max]])
    func tensorOfNoElementsIsAccepted(shape: [Int]) throws {
        let empty = entry("empty", shape: "\(shape)", offsets: "[0,0]")
        for text in ["{\(empty)}", "{\(empty),\(entry())}", "{\(entry()),\(empty)}"] {
            let header = try parse(
                fileBytes(text, dataByteCount: text.contains(#""t""#) ? 4 : 0))
            #expect(header.tensors.first?.shape == shape)
            #expect(header.tensors.first?.elementCount == 0)
        }
    }

    @Test func emptyTensorsMayStandBetweenAndAfterOthers() throws {
        let header = try parse(
            fileBytes(
                "{\(entry("d", shape: "[0]", offsets: "[8,8]")),\(entry("a")),"
                    + "\(entry("b", shape: "[0]", offsets: "[4,4]")),"
                    + "\(entry("c", offsets: "[4,8]"))}", dataByteCount: 8))
        #expect(header.tensors.map(\.name) == ["a", "b", "c", "d"])
    }

    @Test(arguments: DType.allCases)
    func everyTypeHasItsSize(dtype: DType) throws {
        let count = 3 * dtype.byteCount
        let text = entry(dtype: "\"\(dtype.rawValue)\"", shape: "[3,1]", offsets: "[0,\(count)]")
        let header = try parse(fileBytes("{\(text)}", dataByteCount: count))
        #expect(header.tensors.map(\.dtype) == [dtype])
        #expect(header.tensors.map(\.typeDescription) == ["\(dtype.rawValue) [3, 1]"])
    }

    @Test func eightDimensionsAreAccepted() throws {
        let text = entry(shape: "[1,1,1,1,1,1,1,1]")
        #expect(try parse(fileBytes("{\(text)}", dataByteCount: 4)).tensors[0].shape.count == 8)
    }

    @Test func headerOfTheLargestSizeIsRead() throws {
        let bytes = Array("{\(entry())}".utf8)
        let padding = [UInt8](repeating: 0x20, count: SafetensorsHeader.lengthLimit - bytes.count)
        let header = try parse(fileBytes(header: bytes + padding, dataByteCount: 4))
        #expect(header.tensors.map(\.fileRange) == [8 + 1 << 20..<12 + 1 << 20])
    }

    /// Swift's strings compare by canonical equivalence; the format's names are bytes.
    @Test func namesThatDifferOnlyInTheirCompositionAreDifferent() throws {
        let header = try parse(
            fileBytes(
                "{\(entry("\u{E9}")),\(entry("e\u{301}", offsets: "[4,8]"))}", dataByteCount: 8))
        #expect(header.tensors.map { $0.name.utf8.count } == [2, 3])
    }
}
