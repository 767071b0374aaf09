import JSON

/// `{"object": "list", …, "data": […]}`
enum DataList {
    static func pieces(
        _ items: [ArraySlice<UInt8>], _ members: (inout JSONWriter) -> Void
    ) -> [ArraySlice<UInt8>] {
        var json = JSONWriter()
        json.beginObject()
        json.key("object")
        json.string("list")
        members(&json)
        json.key("data")
        var pieces = [json.bytes[...], [UInt8(ascii: "[")]]
        for (index, item) in items.enumerated() {
            if index > 0 { pieces.append([UInt8(ascii: ",")]) }
            pieces.append(item)
        }
        pieces.append([UInt8(ascii: "]"), UInt8(ascii: "}")])
        return pieces
    }
}
