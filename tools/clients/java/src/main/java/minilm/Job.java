package minilm;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.BiFunction;

/** Texts of one caller, asked in several requests; {@code T} is what comes for each. Its monitor guards its state. */
final class Job<T> {
    /** Reads the item of a text: its place in the input, and what the engine says. */
    interface Reader<T> extends BiFunction<Integer, JsonObject, T> {}

    private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();

    final CompletableFuture<List<T>> future = new CompletableFuture<>();

    private final Dispatcher dispatcher;
    private final MinilmOptions options;
    private final String method;
    private final EmbedOptions request;
    private final JsonObject params;
    private final Reader<T> reader;
    private final List<String> texts;
    private final T[] items;
    private final Set<Call> calls = new HashSet<>();
    private final Long deadline;
    private int next;
    private int done;

    @SuppressWarnings("unchecked")
    Job(Dispatcher dispatcher, MinilmOptions options, String method, List<String> texts, EmbedOptions request,
            JsonObject params, Reader<T> reader) {
        this.dispatcher = dispatcher;
        this.options = options;
        this.method = method;
        this.texts = texts;
        this.request = request;
        this.params = params;
        this.reader = reader;
        items = (T[]) new Object[texts.size()];
        deadline = request.timeout() == null ? null : System.nanoTime() + request.timeout().toNanos();
    }

    CompletableFuture<List<T>> start() {
        Runnable stopAlarm = deadline == null ? () -> {} : dispatcher.schedule(this::timeIsUp, request.timeout());
        // Whoever completes the future (cancel, orTimeout, an error), no more answers are needed.
        future.whenComplete((result, error) -> {
            stopAlarm.run();
            giveUp();
        });
        for (int i = 0; i < options.maxRequests; i++) {
            askNext();
        }
        return future;
    }

    private void timeIsUp() {
        finish(new RequestException(RequestException.DEADLINE, "no answer within " + request.timeout(), null));
    }

    private void finish(Throwable error) {
        Dispatcher.COMPLETIONS.execute(() -> future.completeExceptionally(error));
    }

    private void giveUp() {
        List<Call> open;
        synchronized (this) {
            open = new ArrayList<>(calls);
            calls.clear();
        }
        CancellationException reason = new CancellationException("given up");
        open.forEach(call -> dispatcher.cancel(call, reason));
    }

    /** Sends the next part of the texts, or completes when all are done. */
    private void askNext() {
        List<Integer> places = new ArrayList<>();
        List<String> json = new ArrayList<>();
        boolean complete;
        synchronized (this) {
            int bytes = 0;
            while (next < items.length && places.size() < options.textsPerRequest) {
                String text = texts.get(next);
                if (hasLoneSurrogate(text)) {
                    String message = "the text holds a lone surrogate, which UTF-8 cannot carry";
                    items[next] = readError(next, RequestException.INVALID_PARAMS, message);
                    done += 1;
                } else {
                    String piece = GSON.toJson(text);
                    if (!places.isEmpty() && bytes + piece.length() > options.bytesPerRequest) {
                        break;
                    }
                    bytes += piece.length();
                    places.add(next);
                    json.add(piece);
                }
                next += 1;
            }
            complete = done == items.length;
        }
        if (complete) {
            // A copy: the array is written under the monitor, and read by the caller without it.
            future.complete(List.of(Arrays.copyOf(items, items.length)));
        } else if (!places.isEmpty()) {
            ask(places, json).whenComplete((nothing, error) -> {
                if (error == null) {
                    askNext();
                } else {
                    finish(error instanceof CompletionException ? error.getCause() : error);
                }
            });
        }
    }

    private CompletableFuture<Void> ask(List<Integer> places, List<String> json) {
        if (future.isDone()) {
            return CompletableFuture.failedFuture(new CancellationException("given up"));
        }
        String input = "[" + String.join(",", json) + "]";
        Call call = dispatcher.call(method, input, params, request.priority(), deadline);
        synchronized (this) {
            calls.add(call);
        }
        if (future.isDone()) {
            giveUp();
        }
        return call.answer.handle((answer, error) -> {
            synchronized (this) {
                calls.remove(call);
            }
            if (error == null) {
                read(places, answer);
                return CompletableFuture.<Void>completedFuture(null);
            }
            if (!(error instanceof RequestException e && e.isTooMuch())) {
                return CompletableFuture.<Void>failedFuture(error);
            }
            int half = places.size() / 2;
            if (half == 0) {
                synchronized (this) {
                    items[places.get(0)] = readError(places.get(0), e.code(), e.getMessage());
                    done += 1;
                }
                return CompletableFuture.<Void>completedFuture(null);
            }
            return ask(places.subList(0, half), json.subList(0, half))
                    .thenCompose(nothing -> ask(
                            places.subList(half, places.size()), json.subList(half, json.size())));
        }).thenCompose(result -> result);
    }

    private void read(List<Integer> places, JsonElement answer) {
        JsonArray data = answer.getAsJsonObject().getAsJsonArray("data");
        synchronized (this) {
            for (JsonElement element : data) {
                JsonObject item = element.getAsJsonObject();
                int place = places.get(item.get("index").getAsInt());
                items[place] = reader.apply(place, item);
            }
            for (int place : places) {
                if (items[place] == null) {
                    throw new RequestException(RequestException.INTERNAL, "the engine left texts without an answer", null);
                }
            }
            done += places.size();
        }
    }

    private T readError(int place, int code, String message) {
        JsonObject error = new JsonObject();
        error.addProperty("code", code);
        error.addProperty("message", message);
        JsonObject item = new JsonObject();
        item.add("error", error);
        return reader.apply(place, item);
    }

    private static boolean hasLoneSurrogate(String text) {
        for (int i = 0; i < text.length(); i++) {
            char unit = text.charAt(i);
            if (Character.isHighSurrogate(unit) && i + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(i + 1))) {
                i += 1;
            } else if (Character.isSurrogate(unit)) {
                return true;
            }
        }
        return false;
    }
}
