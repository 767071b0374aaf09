import Safetensors

/// The bytes of a safetensors file: the header's length, the header, and so many bytes of data.
func fileBytes(_ header: String, dataByteCount: Int = 0) -> [UInt8] {
    fileBytes(header: Array(header.utf8), dataByteCount: dataByteCount)
}

func fileBytes(header: [UInt8], length: UInt64? = nil, dataByteCount: Int = 0) -> [UInt8] {
    withUnsafeBytes(of: (length ?? UInt64(header.count)).littleEndian, Array.init) + header
        + [UInt8](repeating: 0, count: dataByteCount)
}

/// A tensor's member of a header. The fields are JSON, so that they can be what they must not be.
func entry(
    _ name: String = "t", dtype: String = #""F32""#, shape: String = "[1]",
    offsets: String = "[0,4]"
) -> String {
    #""\#(name)":{"dtype":\#(dtype),"shape":\#(shape),"data_offsets":\#(offsets)}"#
}

func parse(_ bytes: [UInt8]) throws(SafetensorsError) -> SafetensorsHeader {
    let result = bytes.withUnsafeBytes { buffer in
        Result { () throws(SafetensorsError) in try SafetensorsHeader(parsing: buffer) }
    }
    return try result.get()
}
