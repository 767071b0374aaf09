package minilm;

/** What the elements of a vector are. */
public enum Precision {
    FLOAT32,
    INT8,
    UINT8,
    /** Signs, eight to a byte, minus 128. */
    BINARY,
    /** Signs, eight to a byte. */
    UBINARY;

    String wireName() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
