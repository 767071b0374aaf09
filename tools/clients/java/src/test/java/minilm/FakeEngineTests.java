package minilm;

import static minilm.Check.fails;
import static minilm.Check.that;
import static minilm.Check.until;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** What a client does when its engine misbehaves. */
final class FakeEngineTests {
    private static Path log;

    private FakeEngineTests() {}

    private static MinilmOptions fake(String misbehaviour, int number) throws Exception {
        log = Files.createTempFile("minilm-client", ".log");
        Files.delete(log);
        log.toFile().deleteOnExit();
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        return new MinilmOptions().command(java, "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", System.getProperty("java.class.path"),
                "minilm.FakeEngine", log.toString(), misbehaviour, String.valueOf(number));
    }

    private static List<String> texts(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> String.valueOf((char) (0x100 + i)).repeat(1 + i % 7)).toList();
    }

    private static void check(List<String> texts, float[][] vectors) {
        Check.equal(vectors, texts.stream()
                .map(text -> new float[] {text.length(), text.charAt(0)}).toArray(float[][]::new), 0);
    }

    private static void embeds(String misbehaviour, int number) throws Exception {
        try (MinilmClient client = new MinilmClient(
                fake(misbehaviour, number).perRequest(10, 1 << 20).stallTimeout(Duration.ofSeconds(6)))) {
            check(texts(300), client.embed(texts(300)).get(120, TimeUnit.SECONDS));
        }
    }

    static void run() throws Exception {
        Check.test("order is kept", () -> embeds("none", 0));
        Check.test("an engine that dies is replaced, and what it owed is asked again", () -> embeds("crash", 5));
        Check.test("an engine that stalls is replaced", () -> embeds("stall", 0));
        Check.test("an engine that fails to start once is started again", () -> embeds("fail", 0));
        Check.test("noise on stdout ends an engine", () -> embeds("noise", 0));
        Check.test("overload is retried", () -> embeds("always overload", 20));
        Check.test("what is too large is halved", () -> embeds("always limit", 3));
        Check.test("a flood on stderr blocks nothing", () -> embeds("flood", 1_000_000));

        Check.test("an engine that never starts is given up, with its last words", () -> {
            try (MinilmClient client = new MinilmClient(fake("always fail", 0).maxRestarts(1))) {
                EngineDiedException error = fails(EngineDiedException.class, () -> client.embed("a"));
                that(error.getMessage().contains("66") && error.getMessage().contains("the model is broken"),
                        error.getMessage());
            }
        });
        Check.test("a program that is not there is an error at once", () -> {
            try (MinilmClient client = new MinilmClient(new MinilmOptions().command("/nonexistent/minilm"))) {
                fails(EngineDiedException.class, () -> client.embed("a"));
            }
        });
        Check.test("only the request that kills engines fails", () -> {
            try (MinilmClient client = new MinilmClient(fake("none", 0))) {
                CompletableFuture<float[][]> before = client.embed(texts(5));
                CompletableFuture<float[]> bad = client.embed("!poison");
                CompletableFuture<float[][]> after = client.embed(texts(5));
                fails(EngineDiedException.class, () -> bad);
                check(texts(5), before.get());
                check(texts(5), after.get());
            }
        });
        Check.test("overload that does not end is an error", () -> {
            try (MinilmClient client = new MinilmClient(fake("overload", 1000).maxOverloadRetries(2))) {
                that(fails(RequestException.class, () -> client.embed("a")).code() == -32001, "code");
            }
        });
        Check.test("a text that fails has its own error", () -> {
            try (MinilmClient client = new MinilmClient(fake("none", 0))) {
                List<String> texts = List.of("a", "!bad", "\ud800", "x".repeat(200_000), "b");
                TextErrorsException error = fails(TextErrorsException.class, () -> client.embed(texts));
                that(error.errors().keySet().equals(java.util.Set.of(1, 2, 3)), "which texts failed");
                that(error.errors().values().stream().map(RequestException::code).toList()
                        .equals(List.of(-32003, -32602, -32002)), "codes");
                that(error.results().get(4).vector()[1] == 'b', "the last vector");
                fails(RequestException.class, () -> client.embed("!bad"));
            }
        });
        Check.test("cancelling a future cancels the request in the engine", () -> {
            try (MinilmClient client = new MinilmClient(fake("none", 0))) {
                CompletableFuture<float[]> held = client.embed("!hold");
                client.embed("a").get();
                held.cancel(false);
                fails(CancellationException.class, () -> held);
                until(() -> logHolds("$/cancelRequest"));
                client.embed("a").get();
            }
        });
        Check.test("orTimeout and the timeout of a request", () -> {
            try (MinilmClient client = new MinilmClient(fake("none", 0))) {
                client.embed("a").get();
                fails(TimeoutException.class, () -> client.embed("!hold").orTimeout(50, TimeUnit.MILLISECONDS));
                until(() -> logHolds("$/cancelRequest"));
                EmbedOptions brief = EmbedOptions.DEFAULT.timeout(Duration.ofMillis(100));
                that(fails(RequestException.class, () -> client.embed(List.of("!hold"), brief)).code() == -32005, "code");
                that(logHolds("\"deadline_ms\":"), "the engine knows the deadline");
            }
        });
        Check.test("no more requests than allowed are in flight", () -> {
            try (MinilmClient client = new MinilmClient(fake("none", 0).inFlight(2, 1 << 20))) {
                CompletableFuture<float[]> first = client.embed("!hold");
                client.embed("a").get();
                List<CompletableFuture<float[]>> more = new ArrayList<>(List.of(client.embed("!hold"), client.embed("a")));
                Thread.sleep(100);
                that(!more.get(1).isDone(), "the third waits");
                first.cancel(false);
                more.get(0).cancel(false);
            }
        });
        Check.test("a stream reads a bounded number of texts ahead", () -> {
            try (MinilmClient client = new MinilmClient(fake("none", 0).inFlight(4, 1 << 20).perRequest(5, 1 << 20))) {
                int[] taken = {0};
                try (Stream<Embedding> stream =
                        client.stream(Stream.generate(() -> "text " + taken[0]++).iterator(), EmbedOptions.DEFAULT)) {
                    List<Integer> places = stream.limit(50).map(Embedding::index).toList();
                    that(places.equals(IntStream.range(0, 50).boxed().toList()), "order");
                }
                that(taken[0] <= 50 + 5 * 5, taken[0] + " texts taken");
            }
        });
        Check.test("closing now fails what is open, and ends the engine", () -> {
            MinilmClient client = new MinilmClient(fake("none", 0));
            CompletableFuture<float[]> held = client.embed("!hold");
            client.embed("a").get();
            long pid = client.pid().getAsLong();
            client.closeNow();
            fails(EngineDiedException.class, () -> held);
            until(() -> !Check.isAlive(pid));
            fails(EngineDiedException.class, () -> client.embed("a"));
        });
    }

    private static boolean logHolds(String text) {
        try {
            return Files.readString(log).contains(text);
        } catch (java.io.IOException e) {
            return false;
        }
    }
}
