package minilm;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.concurrent.CompletableFuture;

/** A request on its way. The dispatcher's lock guards what changes. */
final class Call implements Comparable<Call> {
    /** Also its place in the queue: a call that is sent again keeps it. */
    final long id;
    final String method;
    /** JSON text of the array of texts, or null. */
    final String input;
    final JsonObject params;
    final int priority;
    /** {@code System.nanoTime()} at which the answer is of no more use, or null. */
    final Long deadline;
    final CompletableFuture<JsonElement> answer = new CompletableFuture<>();

    /** Engines that died while they had this call. */
    int deaths;
    int overloads;
    /** The caller has its result, error or cancellation, or is about to. */
    boolean settled;

    Call(long id, String method, String input, JsonObject params, int priority, Long deadline) {
        this.id = id;
        this.method = method;
        this.input = input;
        this.params = params;
        this.priority = priority;
        this.deadline = deadline;
    }

    long bytes() {
        return (input == null ? 0 : input.length()) + 200L;
    }

    String line() {
        JsonObject rest = params.deepCopy();
        if (deadline != null && method.equals("embed")) {
            rest.addProperty("deadline_ms", Math.max(0, (deadline - System.nanoTime() + 999_999) / 1_000_000));
        }
        String object = rest.toString();
        if (input != null) {
            object = "{\"input\":" + input + (rest.size() == 0 ? "" : ",") + object.substring(1);
        }
        return "{\"jsonrpc\":\"2.0\",\"id\":" + id + ",\"method\":\"" + method + "\",\"params\":" + object + "}";
    }

    @Override
    public int compareTo(Call other) {
        return priority != other.priority ? Integer.compare(other.priority, priority) : Long.compare(id, other.id);
    }
}
