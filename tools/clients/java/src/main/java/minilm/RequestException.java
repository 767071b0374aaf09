package minilm;

import com.google.gson.JsonObject;

/** An error that the engine answered with, or that the client found in its place. */
public final class RequestException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    static final int INVALID_PARAMS = -32602;
    static final int INTERNAL = -32603;
    static final int OVERLOADED = -32001;
    static final int TOO_LARGE = -32002;
    static final int TEXT_TOO_LONG = -32003;
    static final int MEMORY = -32004;
    static final int DEADLINE = -32005;

    private final int code;
    private final transient JsonObject data;

    RequestException(int code, String message, JsonObject data) {
        super(message);
        this.code = code;
        this.data = data;
    }

    static RequestException from(JsonObject error) {
        boolean hasData = error.has("data") && error.get("data").isJsonObject();
        return new RequestException(
                error.get("code").getAsInt(),
                error.get("message").getAsString(),
                hasData ? error.getAsJsonObject("data") : null);
    }

    /** The JSON-RPC error code, for example -32005 when the deadline passed. */
    public int code() {
        return code;
    }

    /** What the engine says beyond the message; may be null. */
    public JsonObject data() {
        return data;
    }

    /** Whether fewer texts at a time may avoid the error. */
    boolean isTooMuch() {
        return code == TOO_LARGE || code == TEXT_TOO_LONG || code == MEMORY;
    }
}
