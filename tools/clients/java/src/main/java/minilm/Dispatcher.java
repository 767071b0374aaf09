package minilm;

import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Keeps one engine running, what it is asked at a time bounded, and every call answered once. Its monitor guards its state. */
final class Dispatcher {
    /** Runs completions, so that what callers hang on their futures never holds up the engine's threads. */
    static final Executor COMPLETIONS = new CompletableFuture<Void>().defaultExecutor();

    private static final String INITIALIZE = "{\"jsonrpc\":\"2.0\",\"id\":\"initialize\",\"method\":\"initialize\","
            + "\"params\":{\"protocolVersion\":\"1\",\"clientInfo\":{\"name\":\"minilm-client-java\",\"version\":\"0.1.0\"}}}";

    private final ScheduledThreadPoolExecutor timer;

    private final MinilmOptions options;
    private final PriorityQueue<Call> queue = new PriorityQueue<>();
    private final Map<Long, Call> inFlight = new HashMap<>();
    /** Lines that go before requests. */
    private final Deque<String> notices = new ArrayDeque<>();
    private final Thread atExit = new Thread(this::killEngine);
    private EngineProcess engine;
    private ScheduledFuture<?> watch;
    private ScheduledFuture<?> restart;
    private long bytesInFlight;
    private long lastId;
    private boolean ready;
    private boolean closed;
    private boolean finished;
    private int failedStarts;
    private int deathsInRow;
    private long askedAt;
    private Long pausedUntil;
    private int engineRequestLimit = Integer.MAX_VALUE;
    private long engineLineLimit = 67_108_864;

    Dispatcher(MinilmOptions options) {
        this.options = options;
        timer = new ScheduledThreadPoolExecutor(1, body -> {
            Thread thread = new Thread(body, "minilm-timer");
            thread.setDaemon(true);
            return thread;
        });
        timer.setRemoveOnCancelPolicy(true);
        Runtime.getRuntime().addShutdownHook(atExit);
    }

    synchronized Call call(String method, String input, JsonObject params, int priority, Long deadline) {
        Call call = new Call(++lastId, method, input, params, priority, deadline);
        if (closed) {
            reject(call, new EngineDiedException("the client is closed", List.of(), null));
            return call;
        }
        queue.add(call);
        if (engine == null && restart == null) {
            start();
        }
        notifyAll();
        return call;
    }

    /** Gives up a call, and tells the engine. */
    synchronized void cancel(Call call, Throwable reason) {
        if (call.settled) {
            return;
        }
        reject(call, reason);
        if (inFlight.containsKey(call.id)) {
            // It stays in flight until the engine has answered, as it takes its place there until then.
            notices.add("{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":" + call.id + "}}");
        } else {
            queue.remove(call);
        }
        notifyAll();
    }

    /** Runs something once, later; not if the client is closed. */
    synchronized Runnable schedule(Runnable body, Duration delay) {
        if (timer.isShutdown()) {
            return () -> {};
        }
        ScheduledFuture<?> task = timer.schedule(body, delay.toNanos(), TimeUnit.NANOSECONDS);
        return () -> task.cancel(false);
    }

    synchronized Process process() {
        return engine == null ? null : engine.process();
    }

    /** Takes no more calls, has those it took answered or rejects them, and ends the engine. */
    void close(boolean drain) {
        EngineProcess last;
        try {
            synchronized (this) {
                closed = true;
                if (!drain) {
                    List<Call> open = new ArrayList<>(queue);
                    open.addAll(inFlight.values());
                    EngineDiedException reason = new EngineDiedException("the client was closed", List.of(), null);
                    open.forEach(call -> cancel(call, reason));
                }
                while (hasOpenCalls()) {
                    wait();
                }
                finished = true;
                last = engine;
                notifyAll();
            }
            if (last != null && !last.process().waitFor(options.closeTimeout.toMillis(), TimeUnit.MILLISECONDS)) {
                last.kill();
                last.process().waitFor();
            }
        } catch (InterruptedException e) {
            killEngine();
            Thread.currentThread().interrupt();
        }
        synchronized (this) {
            timer.shutdownNow();
        }
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException e) {
            // The process ends already.
            return;
        }
    }

    private boolean hasOpenCalls() {
        return !queue.isEmpty() || inFlight.values().stream().anyMatch(call -> !call.settled);
    }

    private void killEngine() {
        EngineProcess last;
        synchronized (this) {
            last = engine;
        }
        if (last != null) {
            last.kill();
        }
    }

    private void start() {
        EngineProcess started;
        try {
            started = new EngineProcess(options);
        } catch (IOException e) {
            rejectQueue(new EngineDiedException("the engine could not be started: " + e.getMessage(), List.of(), e));
            return;
        }
        engine = started;
        ready = false;
        notices.clear();
        notices.add(INITIALIZE);
        askedAt = System.nanoTime();
        long often = Math.min(5000, Math.max(20, smaller(options.stallTimeout, options.startTimeout).toMillis() / 4));
        watch = timer.scheduleWithFixedDelay(() -> killIfSilent(started), often, often, TimeUnit.MILLISECONDS);
        started.run(message -> receive(started, message), () -> engineEnded(started));
        EngineProcess.start("minilm-stdin", () -> write(started));
    }

    private static Duration smaller(Duration a, Duration b) {
        return a.compareTo(b) < 0 ? a : b;
    }

    private synchronized void killIfSilent(EngineProcess watched) {
        if (engine != watched || (ready && inFlight.isEmpty())) {
            return;
        }
        long silent = System.nanoTime() - Math.max(askedAt, watched.heardAt);
        if (silent > (ready ? options.stallTimeout : options.startTimeout).toNanos()) {
            watched.kill();
        }
    }

    /** The body of the thread that writes; the pipe holds up only this. */
    private void write(EngineProcess target) {
        try {
            for (String line; (line = nextLine(target)) != null; ) {
                target.write(line);
            }
            target.finish();
        } catch (IOException e) {
            target.kill();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Waits for a line that may be sent to the engine now; null when there will be none. */
    private synchronized String nextLine(EngineProcess target) throws InterruptedException {
        while (engine == target) {
            if (!notices.isEmpty()) {
                return notices.remove();
            }
            if (finished) {
                return null;
            }
            long pause = pausedUntil == null ? 0 : pausedUntil - System.nanoTime();
            if (pause <= 0 && ready && !queue.isEmpty() && fits(queue.peek())) {
                String line = take(queue.remove());
                if (line != null) {
                    return line;
                }
            } else if (pause > 0) {
                wait(pause / 1_000_000 + 1);
            } else {
                wait();
            }
        }
        return null;
    }

    private boolean fits(Call call) {
        if (inFlight.isEmpty()) {
            return true;
        }
        // Who was there at two deaths is suspect, and goes alone: so only the call at fault reaches its limit.
        if (call.deaths >= 2 || inFlight.values().stream().anyMatch(other -> other.deaths >= 2)) {
            return false;
        }
        return inFlight.size() < Math.min(options.maxRequests, engineRequestLimit)
                && bytesInFlight + call.bytes() <= options.maxBytes;
    }

    private String take(Call call) {
        String line = call.line();
        if (line.length() * 3L > engineLineLimit
                && line.getBytes(StandardCharsets.UTF_8).length > engineLineLimit) {
            JsonObject data = new JsonObject();
            data.addProperty("limit", "max_line_bytes");
            String message = "the request is longer than a line may be";
            reject(call, new RequestException(RequestException.TOO_LARGE, message, data));
            notifyAll();
            return null;
        }
        inFlight.put(call.id, call);
        bytesInFlight += call.bytes();
        askedAt = System.nanoTime();
        return line;
    }

    private synchronized void receive(EngineProcess from, JsonObject message) {
        if (engine != from || message.has("method") || !message.has("id")) {
            return;
        }
        JsonElement id = message.get("id");
        if (id.isJsonNull()) {
            // A line was refused as a whole. It cannot be said which, so none waits for an answer that may not come.
            RequestException error = RequestException.from(message.getAsJsonObject("error"));
            inFlight.values().forEach(call -> reject(call, error));
            from.kill();
        } else if (!id.getAsJsonPrimitive().isNumber()) {
            initialized(message);
        } else {
            Call call = inFlight.remove(id.getAsLong());
            if (call != null) {
                bytesInFlight -= call.bytes();
                deathsInRow = 0;
                answer(call, message);
            }
        }
        notifyAll();
    }

    /** An engine that answers with an error, as it does not know the method, is ready too. */
    private void initialized(JsonObject message) {
        ready = true;
        failedStarts = 0;
        if (message.has("result") && message.getAsJsonObject("result").has("limits")) {
            JsonObject limits = message.getAsJsonObject("result").getAsJsonObject("limits");
            engineLineLimit = limit(limits, "max_line_bytes", engineLineLimit);
            engineRequestLimit = (int) limit(limits, "max_concurrent_requests", Integer.MAX_VALUE);
        }
    }

    private static long limit(JsonObject limits, String name, long otherwise) {
        return limits.has(name) && !limits.get(name).isJsonNull() ? limits.get(name).getAsLong() : otherwise;
    }

    private void answer(Call call, JsonObject message) {
        if (!message.has("error")) {
            if (!call.settled) {
                call.settled = true;
                JsonElement result = message.has("result") ? message.get("result") : JsonNull.INSTANCE;
                COMPLETIONS.execute(() -> call.answer.complete(result));
            }
            return;
        }
        RequestException error = RequestException.from(message.getAsJsonObject("error"));
        if (error.code() == RequestException.OVERLOADED
                && call.overloads < options.maxOverloadRetries && !call.settled) {
            call.overloads += 1;
            queue.add(call);
            JsonObject data = error.data();
            long wait = data != null && data.has("retry_after_ms") ? data.get("retry_after_ms").getAsLong() : 100;
            pausedUntil = System.nanoTime() + Math.min(Math.max(wait, 1), 60_000) * 1_000_000;
        } else {
            reject(call, error);
        }
    }

    private synchronized void engineEnded(EngineProcess ended) {
        if (engine != ended) {
            return;
        }
        EngineDiedException error = new EngineDiedException("the engine " + ended.end(), ended.lastWords(), null);
        boolean wasReady = ready;
        engine = null;
        ready = false;
        watch.cancel(false);
        deathsInRow += 1;
        for (Call call : inFlight.values()) {
            if (call.settled) {
                continue;
            }
            call.deaths += 1;
            if (call.deaths > options.maxRestarts) {
                reject(call, error);
            } else {
                queue.add(call);
            }
        }
        inFlight.clear();
        bytesInFlight = 0;
        if (!wasReady) {
            failedStarts += 1;
            if (failedStarts > options.maxRestarts) {
                failedStarts = 0;
                rejectQueue(error);
            }
        }
        if (!queue.isEmpty()) {
            long backoff = Math.min(100L << Math.min(deathsInRow - 1, 10), 5000);
            restart = timer.schedule(this::restart, backoff, TimeUnit.MILLISECONDS);
        }
        notifyAll();
    }

    private synchronized void restart() {
        restart = null;
        if (!queue.isEmpty()) {
            start();
        }
    }

    private void rejectQueue(Throwable reason) {
        queue.forEach(call -> reject(call, reason));
        queue.clear();
        notifyAll();
    }

    private void reject(Call call, Throwable reason) {
        if (!call.settled) {
            call.settled = true;
            COMPLETIONS.execute(() -> call.answer.completeExceptionally(reason));
        }
    }
}
