package minilm;

import com.google.gson.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;

/**
 * The vector of a text, or the error that took its place.
 *
 * @param index place of the text in the input
 * @param vector the vector; null with an error and with precisions other than float32
 * @param bytes the elements of other precisions, as they came; null with an error and with float32
 * @param tokens tokens of the text as embedded
 * @param truncated whether the text was cut
 * @param scale what int8 and uint8 elements are multiplied by, less {@code zeroPoint}; 1 otherwise
 * @param zeroPoint the element of uint8 that stands for 0; 0 otherwise
 * @param error why there is no vector; null if there is one
 */
public record Embedding(
        int index,
        float[] vector,
        byte[] bytes,
        int tokens,
        boolean truncated,
        float scale,
        int zeroPoint,
        RequestException error) {

    static Embedding failed(int index, RequestException error) {
        return new Embedding(index, null, null, 0, false, 1, 0, error);
    }

    static Embedding read(int index, JsonObject item, Precision precision) {
        if (item.has("error")) {
            return failed(index, RequestException.from(item.getAsJsonObject("error")));
        }
        byte[] bytes = Base64.getDecoder().decode(item.get("embedding").getAsString());
        float[] vector = null;
        if (precision == Precision.FLOAT32) {
            vector = new float[bytes.length / 4];
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(vector);
        }
        return new Embedding(
                index,
                vector,
                vector == null ? bytes : null,
                item.get("tokens").getAsInt(),
                item.has("truncated") && item.get("truncated").getAsBoolean(),
                item.has("scale") ? item.get("scale").getAsFloat() : 1,
                item.has("zero_point") ? item.get("zero_point").getAsInt() : 0,
                null);
    }
}
