package minilm;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.OptionalLong;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * The engine as an object, for any number of threads. One process serves all calls; it starts at the first one.
 *
 * <p>Cancelling a future that a method returned, or completing it otherwise (for example by {@code orTimeout}), cancels its requests
 * in the engine. Cancel that future, not one derived from it.
 */
public final class MinilmClient implements AutoCloseable {
    private final MinilmOptions options;
    private final Dispatcher dispatcher;

    public MinilmClient() {
        this(new MinilmOptions());
    }

    public MinilmClient(MinilmOptions options) {
        this.options = options;
        dispatcher = new Dispatcher(options);
    }

    /** The vector of a text. Fails with its {@link RequestException}. */
    public CompletableFuture<float[]> embed(String text) {
        return derive(embedItems(List.of(text), EmbedOptions.DEFAULT), items -> {
            if (items.get(0).error() != null) {
                throw items.get(0).error();
            }
            return items.get(0).vector();
        });
    }

    public CompletableFuture<float[][]> embed(List<String> texts) {
        return embed(texts, EmbedOptions.DEFAULT);
    }

    /**
     * The vectors of the texts, in their order.
     *
     * @return fails with {@link TextErrorsException} if some texts have errors of their own
     * @throws IllegalArgumentException with a precision other than float32; {@link #embedItems} is for those
     */
    public CompletableFuture<float[][]> embed(List<String> texts, EmbedOptions request) {
        if (request.precision() != Precision.FLOAT32) {
            throw new IllegalArgumentException("embed gives float32; use embedItems");
        }
        return derive(embedItems(texts, request), items -> {
            TreeMap<Integer, RequestException> errors = new TreeMap<>();
            items.stream().filter(item -> item.error() != null).forEach(item -> errors.put(item.index(), item.error()));
            if (!errors.isEmpty()) {
                throw new TextErrorsException(errors, items);
            }
            return items.stream().map(Embedding::vector).toArray(float[][]::new);
        });
    }

    /** An item for each text, in any precision; texts that fail have an item with an error. */
    public CompletableFuture<List<Embedding>> embedItems(List<String> texts, EmbedOptions request) {
        JsonObject params = request.params();
        params.addProperty("encoding_format", "base64");
        return new Job<Embedding>(dispatcher, options, "embed", List.copyOf(texts), request, params,
                (index, item) -> Embedding.read(index, item, request.precision())).start();
    }

    /** Items one by one, in order; it reads only a bounded number of texts ahead. Close the stream if you do not read it to its end. */
    public Stream<Embedding> stream(Iterator<String> texts, EmbedOptions request) {
        Ahead ahead = new Ahead(texts, request);
        int traits = Spliterator.ORDERED | Spliterator.NONNULL;
        return StreamSupport.stream(Spliterators.spliteratorUnknownSize(ahead, traits), false).onClose(ahead::close);
    }

    /** What the engine says of each text: {@code ids}, {@code tokens}, {@code offsets} (UTF-8 bytes), {@code dropped}. */
    public CompletableFuture<List<JsonObject>> tokenize(List<String> texts, EmbedOptions request) {
        return new Job<JsonObject>(dispatcher, options, "tokenize", List.copyOf(texts), request, request.params(),
                MinilmClient::withIndex).start();
    }

    /** {@code tokens} and {@code dropped} of each text. */
    public CompletableFuture<List<JsonObject>> count(List<String> texts, EmbedOptions request) {
        return new Job<JsonObject>(dispatcher, options, "count", List.copyOf(texts), request, request.params(),
                MinilmClient::withIndex).start();
    }

    /** What embedding texts of these lengths in tokens would take. */
    public CompletableFuture<JsonObject> plan(int... lengths) {
        JsonObject params = new JsonObject();
        JsonArray array = new JsonArray();
        for (int length : lengths) {
            array.add(length);
        }
        params.add("lengths", array);
        return single("plan", params);
    }

    public CompletableFuture<JsonObject> info() {
        return single("info", new JsonObject());
    }

    public CompletableFuture<JsonObject> stats() {
        return single("stats", new JsonObject());
    }

    /** The process id of the engine while it runs. */
    public OptionalLong pid() {
        Process process = dispatcher.process();
        return process == null ? OptionalLong.empty() : OptionalLong.of(process.pid());
    }

    /** Waits until what was asked is answered, and ends the engine. */
    @Override
    public void close() {
        dispatcher.close(true);
    }

    /** Fails what is not yet answered, and ends the engine. */
    public void closeNow() {
        dispatcher.close(false);
    }

    private CompletableFuture<JsonObject> single(String method, JsonObject params) {
        Call call = dispatcher.call(method, null, params, 0, null);
        CompletableFuture<JsonObject> future = new CompletableFuture<>();
        call.answer.whenComplete((answer, error) -> {
            if (error != null) {
                future.completeExceptionally(error);
            } else {
                future.complete(answer.getAsJsonObject());
            }
        });
        future.whenComplete((result, error) -> dispatcher.cancel(call, new CancellationException("given up")));
        return future;
    }

    private static JsonObject withIndex(int index, JsonObject item) {
        item.addProperty("index", index);
        return item;
    }

    /** A future that passes its cancellation on to the one it comes from. */
    private static <T, R> CompletableFuture<R> derive(CompletableFuture<T> source, Function<T, R> map) {
        CompletableFuture<R> derived = new CompletableFuture<>();
        source.whenComplete((value, error) -> {
            try {
                if (error != null) {
                    derived.completeExceptionally(error);
                } else {
                    derived.complete(map.apply(value));
                }
            } catch (RuntimeException e) {
                derived.completeExceptionally(e);
            }
        });
        derived.whenComplete((value, error) -> source.cancel(false));
        return derived;
    }

    /** Parts of a stream that were asked for and not yet read. */
    private final class Ahead implements Iterator<Embedding> {
        private final Iterator<String> texts;
        private final EmbedOptions request;
        private final Deque<CompletableFuture<List<Embedding>>> parts = new ArrayDeque<>();
        private Iterator<Embedding> current = List.<Embedding>of().iterator();
        private int read;

        Ahead(Iterator<String> texts, EmbedOptions request) {
            this.texts = texts;
            this.request = request;
        }

        @Override
        public boolean hasNext() {
            while (!current.hasNext()) {
                while (parts.size() < options.maxRequests && texts.hasNext()) {
                    parts.add(embedItems(nextTexts(), request));
                }
                if (parts.isEmpty()) {
                    return false;
                }
                try {
                    current = parts.remove().join().iterator();
                } catch (CompletionException e) {
                    close();
                    throw e.getCause() instanceof RuntimeException cause ? cause : e;
                }
            }
            return true;
        }

        @Override
        public Embedding next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            Embedding item = current.next();
            return new Embedding(read++, item.vector(), item.bytes(), item.tokens(), item.truncated(), item.scale(),
                    item.zeroPoint(), item.error());
        }

        void close() {
            parts.forEach(part -> part.cancel(false));
            parts.clear();
        }

        private List<String> nextTexts() {
            List<String> some = new ArrayList<>();
            long bytes = 0;
            while (texts.hasNext() && some.size() < options.textsPerRequest && bytes < options.bytesPerRequest) {
                some.add(texts.next());
                bytes += some.get(some.size() - 1).length();
            }
            return some;
        }
    }
}
