import { endianness } from "node:os";

const bigEndian = endianness() === "BE";

/**
 * @param {string} base64 little-endian float32, or one byte an element (or eight elements)
 * @param {"float32" | "int8" | "uint8" | "binary" | "ubinary"} precision
 * @returns {Float32Array | Int8Array | Uint8Array}
 */
export function decodeVector(base64, precision) {
  // A copy of its own: small buffers share a pool, in which nothing is aligned.
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
  switch (precision) {
    case "int8":
    case "binary":
      return new Int8Array(bytes.buffer);
    case "uint8":
    case "ubinary":
      return bytes;
    default:
      if (bytes.length % 4 !== 0) throw new RangeError(`${bytes.length} bytes are no float32 vector`);
      if (bigEndian) Buffer.from(bytes.buffer).swap32();
      return new Float32Array(bytes.buffer);
  }
}
