package minilm;

import com.google.gson.JsonObject;
import java.time.Duration;

/** Parameters of a request; what is not set is as the engine has it. Immutable: every setter gives a copy. */
public final class EmbedOptions {
    /** Nothing set. */
    public static final EmbedOptions DEFAULT = new EmbedOptions(new JsonObject(), Precision.FLOAT32, 0, null);

    private final JsonObject params;
    private final Precision precision;
    private final int priority;
    private final Duration timeout;

    private EmbedOptions(JsonObject params, Precision precision, int priority, Duration timeout) {
        this.params = params;
        this.precision = precision;
        this.priority = priority;
        this.timeout = timeout;
    }

    /** The first elements only, 1 to the model's dimension. */
    public EmbedOptions dimensions(int count) {
        return with("dimensions", count);
    }

    public EmbedOptions normalize(boolean value) {
        return with("normalize", value);
    }

    /** Whether a text that is too long is cut, or an error. */
    public EmbedOptions truncate(boolean value) {
        return with("truncate", value);
    }

    /** {@code "right"} or {@code "left"}: the end that is cut. */
    public EmbedOptions truncationDirection(String direction) {
        return with("truncation_direction", direction);
    }

    public EmbedOptions maxTokens(int count) {
        return with("max_tokens", count);
    }

    /** Put before each text. */
    public EmbedOptions prompt(String text) {
        return with("prompt", text);
    }

    public EmbedOptions precision(Precision value) {
        EmbedOptions copy = with("precision", value.wireName());
        return new EmbedOptions(copy.params, value, priority, timeout);
    }

    /** -100 to 100, higher first. */
    public EmbedOptions priority(int value) {
        EmbedOptions copy = with("priority", value);
        return new EmbedOptions(copy.params, precision, value, timeout);
    }

    /** After this time the call fails with -32005, and the engine drops what it has not computed. */
    public EmbedOptions timeout(Duration value) {
        return new EmbedOptions(params, precision, priority, value);
    }

    JsonObject params() {
        return params.deepCopy();
    }

    Precision precision() {
        return precision;
    }

    int priority() {
        return priority;
    }

    Duration timeout() {
        return timeout;
    }

    private EmbedOptions with(String name, Object value) {
        JsonObject copy = params.deepCopy();
        if (value instanceof Boolean flag) {
            copy.addProperty(name, flag);
        } else if (value instanceof Number number) {
            copy.addProperty(name, number);
        } else {
            copy.addProperty(name, (String) value);
        }
        return new EmbedOptions(copy, precision, priority, timeout);
    }
}
