package minilm;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** How the engine is started and used. Set what differs from the defaults before the client is made. */
public final class MinilmOptions {
    List<String> command = List.of(engineFromEnvironment(), "serve");
    final Map<String, String> environment = new HashMap<>();
    int maxRequests = 8;
    long maxBytes = 8 << 20;
    int textsPerRequest = 128;
    int bytesPerRequest = 1 << 20;
    int maxRestarts = 3;
    int maxOverloadRetries = 100;
    Duration startTimeout = Duration.ofSeconds(60);
    Duration stallTimeout = Duration.ofMinutes(5);
    Duration closeTimeout = Duration.ofSeconds(5);

    private static String engineFromEnvironment() {
        String engine = System.getenv("MINILM");
        return engine == null || engine.isEmpty() ? "minilm" : engine;
    }

    /** The program with its arguments; by default $MINILM, else minilm on PATH, with {@code serve}. */
    public MinilmOptions command(String... programAndArguments) {
        command = List.of(programAndArguments);
        return this;
    }

    /** Sets a variable of the engine's environment, for example MINILM_MODEL. */
    public MinilmOptions environment(String name, String value) {
        environment.put(name, value);
        return this;
    }

    /** Requests and bytes of requests that the engine has at a time (8; 8 MiB). */
    public MinilmOptions inFlight(int requests, long bytes) {
        maxRequests = requests;
        maxBytes = bytes;
        return this;
    }

    /** A longer input is split into requests of so many texts and bytes (128; 1 MiB). */
    public MinilmOptions perRequest(int texts, int bytes) {
        textsPerRequest = texts;
        bytesPerRequest = bytes;
        return this;
    }

    /** Deaths of the engine that a request survives, and failed starts in a row (3). */
    public MinilmOptions maxRestarts(int count) {
        maxRestarts = count;
        return this;
    }

    public MinilmOptions maxOverloadRetries(int count) {
        maxOverloadRetries = count;
        return this;
    }

    public MinilmOptions startTimeout(Duration duration) {
        startTimeout = duration;
        return this;
    }

    /** An engine that owes an answer and is silent for so long is replaced (5 minutes). */
    public MinilmOptions stallTimeout(Duration duration) {
        stallTimeout = duration;
        return this;
    }

    public MinilmOptions closeTimeout(Duration duration) {
        closeTimeout = duration;
        return this;
    }
}
