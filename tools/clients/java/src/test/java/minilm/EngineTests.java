package minilm;

import static minilm.Check.fails;
import static minilm.Check.that;
import static minilm.Check.until;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** The client with the real engine, $MINILM. */
final class EngineTests {
    private EngineTests() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0) {
            host(arguments[0]);
            return;
        }
        FakeEngineTests.run();
        run();
        Check.report();
    }

    /** Vectors as the command line writes them. */
    private static float[][] reference(List<String> texts) throws Exception {
        Path input = Files.createTempFile("minilm-client", ".jsonl");
        StringBuilder lines = new StringBuilder();
        for (String text : texts) {
            JsonObject line = new JsonObject();
            line.addProperty("text", text);
            lines.append(line).append('\n');
        }
        Files.writeString(input, lines);
        Process process = new ProcessBuilder(System.getenv("MINILM"), "embed", "--quiet", "--input-format", "jsonl",
                "--format", "jsonl", "--input", input.toString()).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        List<float[]> vectors = new ArrayList<>();
        try (BufferedReader reader = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line; (line = reader.readLine()) != null; ) {
                JsonObject item = JsonParser.parseString(line).getAsJsonObject();
                vectors.add(new Gson().fromJson(item.get("embedding"), float[].class));
            }
        }
        Files.delete(input);
        return vectors.toArray(float[][]::new);
    }

    private static boolean has(CompletableFuture<?> answer) throws Exception {
        try {
            answer.get();
            return true;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RequestException) {
                return false;
            }
            throw e;
        }
    }

    private static void run() throws Exception {
        boolean hasStats;
        boolean hasTokenize;
        boolean hasOptions;
        try (MinilmClient client = new MinilmClient()) {
            hasStats = has(client.stats());
            hasTokenize = has(client.tokenize(List.of("a"), EmbedOptions.DEFAULT));
            hasOptions = has(client.embed(List.of("a"), EmbedOptions.DEFAULT.dimensions(8)));
        }

        Check.test("vectors equal those of the command line", () -> {
            List<String> texts = List.of("The cat sits outside.", "", "Naïve café 日本語 😀",
                    "tab\tand \"quotes\" \\ \u0000 \u2028 <b>", "word ".repeat(600));
            float[][] expected = reference(texts);
            try (MinilmClient client = new MinilmClient(new MinilmOptions().perRequest(2, 1 << 20))) {
                Check.equal(client.embed(texts).get(), expected, 1e-6);
                Check.equal(new float[][] {client.embed(texts.get(0)).get()}, new float[][] {expected[0]}, 1e-6);
                List<Embedding> items = client.embedItems(texts, EmbedOptions.DEFAULT).get();
                that(items.get(4).truncated() && items.get(4).tokens() == 256, "the last is cut");
                that(client.info().get().getAsJsonObject("model").get("dimension").getAsInt() == 384, "info");
                that(client.embed(List.of()).get().length == 0, "nothing of nothing");
            }
        });

        Check.test("an engine killed in the middle of its work costs no answer", () -> {
            List<String> texts = IntStream.range(0, 200).mapToObj(i -> "sentence number " + i + " of many").toList();
            float[][] expected = reference(texts);
            Set<Long> pids = new HashSet<>();
            try (MinilmClient client = new MinilmClient(new MinilmOptions().perRequest(8, 1 << 20));
                    Stream<Embedding> stream = client.stream(texts.iterator(), EmbedOptions.DEFAULT)) {
                float[][] vectors = stream.peek(item -> {
                    client.pid().ifPresent(pids::add);
                    if (item.index() == 20 || item.index() == 100) {
                        client.pid().ifPresent(pid -> ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly));
                    }
                }).map(Embedding::vector).toArray(float[][]::new);
                Check.equal(vectors, expected, 1e-6);
            }
            that(pids.size() >= 2, "another engine");
        });

        Check.test("ten thousand texts come back in order", () -> {
            List<String> distinct = List.of("a", "b", "cat", "dog", "sun", "no", "yes");
            float[][] expected = reference(distinct);
            int[] which = IntStream.range(0, 10_000).map(i -> i * i % 7).toArray();
            try (MinilmClient client = new MinilmClient()) {
                float[][] vectors = client.embed(IntStream.of(which).mapToObj(distinct::get).toList()).get();
                Check.equal(vectors, IntStream.of(which).mapToObj(k -> expected[k]).toArray(float[][]::new), 1e-6);
            }
        });

        Check.test("a cancelled call leaves the engine usable", () -> {
            try (MinilmClient client = new MinilmClient()) {
                client.embed("warm").get();
                CompletableFuture<float[][]> longCall = client.embed(Collections.nCopies(1000, "word ".repeat(100)));
                Thread.sleep(50);
                longCall.cancel(false);
                fails(CancellationException.class, () -> longCall);
                that(client.embed("after").get().length == 384, "a vector");
            }
        });

        Check.test("a host that is killed leaves no engine behind", () -> endHost("busy", true));
        Check.test("a host that exits leaves no engine behind", () -> endHost("exit", false));
        Check.test("a host that returns from main ends, and its engine", () -> endHost("return", false));

        if (hasTokenize) {
            Check.test("tokens, counts and plans", () -> {
                try (MinilmClient client = new MinilmClient(new MinilmOptions().perRequest(1, 1 << 20))) {
                    List<JsonObject> items = client.tokenize(List.of("a cat", "b"), EmbedOptions.DEFAULT).get();
                    that(items.get(0).get("tokens").toString().equals("[\"[CLS]\",\"a\",\"cat\",\"[SEP]\"]"), "tokens");
                    that(items.get(1).get("index").getAsInt() == 1, "index");
                    that(client.count(List.of("a cat"), EmbedOptions.DEFAULT).get().get(0).get("tokens").getAsInt() == 4, "count");
                    that(client.plan(4, 100, 256).get().get("texts").getAsInt() == 3, "plan");
                }
            });
        } else {
            Check.skip("tokens, counts and plans");
        }
        if (hasStats) {
            Check.test("stats", () -> {
                try (MinilmClient client = new MinilmClient()) {
                    client.stats().get();
                }
            });
        } else {
            Check.skip("stats");
        }
        if (!hasOptions) {
            Check.skip("dimensions, precisions, deadlines, overload");
            return;
        }

        Check.test("dimensions and precisions", () -> {
            float[] full = reference(List.of("A cat."))[0];
            try (MinilmClient client = new MinilmClient()) {
                EmbedOptions plain = EmbedOptions.DEFAULT;
                that(client.embed(List.of("A cat."), plain.dimensions(64)).get()[0].length == 64, "dimensions");
                for (Precision precision : List.of(Precision.INT8, Precision.UINT8)) {
                    Embedding item = client.embedItems(List.of("A cat."), plain.precision(precision)).get().get(0);
                    that(item.zeroPoint() == (precision == Precision.INT8 ? 0 : 128), "zero point");
                    for (int k = 0; k < full.length; k++) {
                        int raw = precision == Precision.INT8 ? item.bytes()[k] : item.bytes()[k] & 255;
                        that(Math.abs((raw - item.zeroPoint()) * item.scale() - full[k]) <= item.scale() * 0.51, "element " + k);
                    }
                }
                byte[] bits = client.embedItems(List.of("A cat."), plain.precision(Precision.UBINARY)).get().get(0).bytes();
                for (int k = 0; k < full.length; k++) {
                    that((bits[k / 8] >> (7 - k % 8) & 1) == (full[k] > 0 ? 1 : 0), "bit " + k);
                }
                that(client.embedItems(List.of("A cat."), plain.precision(Precision.BINARY)).get().get(0).bytes().length == 48, "binary");
            }
        });
        Check.test("a deadline that passes is an error", () -> {
            try (MinilmClient client = new MinilmClient()) {
                client.embed("warm").get();
                List<String> texts = Collections.nCopies(1000, "word ".repeat(200));
                EmbedOptions brief = EmbedOptions.DEFAULT.timeout(Duration.ofMillis(50));
                that(fails(RequestException.class, () -> client.embed(texts, brief)).code() == -32005, "code");
            }
        });
        Check.test("overload is waited out", () -> {
            MinilmOptions one = new MinilmOptions().command(System.getenv("MINILM"), "serve", "--max-concurrent-requests", "1");
            List<String> texts = IntStream.range(0, 40).mapToObj(i -> "text " + i).toList();
            try (MinilmClient client = new MinilmClient(one.perRequest(1, 1 << 20))) {
                Check.equal(client.embed(texts).get(), reference(texts), 1e-6);
            }
        });
    }

    /** A process of its own, which prints its engine's id and then ends in some way. */
    private static void host(String end) throws Exception {
        MinilmClient client = new MinilmClient();
        client.embed("a").get();
        System.out.println(client.pid().getAsLong());
        CompletableFuture<float[][]> work = client.embed(Collections.nCopies(2000, "word ".repeat(50)));
        switch (end) {
            case "busy" -> work.get();
            case "exit" -> System.exit(0);
            default -> { }
        }
    }

    private static void endHost(String end, boolean kill) throws Exception {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Process host = new ProcessBuilder(java, "-cp", System.getProperty("java.class.path"), "minilm.EngineTests", end)
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        long pid = Long.parseLong(host.inputReader().readLine());
        if (kill) {
            that(Check.isAlive(pid), "the engine runs");
            host.destroyForcibly();
        }
        int status = host.waitFor();
        that(kill || status == 0, "exit status " + status);
        until(() -> !Check.isAlive(pid));
    }
}
