package minilm;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** One engine process: lines in, messages out, the last lines of its stderr kept. Its threads are daemons. */
final class EngineProcess {
    private static final int STDERR_LINES = 20;
    private static final int STDERR_LINE_LENGTH = 2000;

    private final Process process;
    private final OutputStream stdin;
    private final Deque<String> stderr = new ArrayDeque<>();
    private final Thread stderrReader;
    /** When something was last read from it, {@code System.nanoTime()}. */
    volatile long heardAt = System.nanoTime();

    EngineProcess(MinilmOptions options) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(options.command);
        builder.environment().putAll(options.environment);
        process = builder.start();
        stdin = process.getOutputStream();
        stderrReader = start("minilm-stderr", this::drainStderr);
    }

    static Thread start(String name, Runnable body) {
        Thread thread = new Thread(body, name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    /** Reads messages until the engine ends, then says so; once. */
    void run(Consumer<JsonObject> onMessage, Runnable onEnd) {
        start("minilm-stdout", () -> {
            boolean broken = true;
            try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
                for (String line; (line = lines.readLine()) != null; ) {
                    heardAt = System.nanoTime();
                    JsonElement message = JsonParser.parseString(line);
                    if (!message.isJsonObject()) {
                        throw new JsonParseException("not an object");
                    }
                    onMessage.accept(message.getAsJsonObject());
                }
                broken = false;
            } catch (JsonParseException e) {
                keep("not JSON-RPC on stdout");
            } catch (IOException e) {
                keep("stdout: " + e.getMessage());
            } catch (RuntimeException e) {
                keep("an answer that is none: " + e);
            }
            try {
                if (broken || !process.waitFor(2, TimeUnit.SECONDS)) {
                    process.destroyForcibly().waitFor();
                }
                stderrReader.join(1000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            onEnd.run();
        });
    }

    /** Writes a line; waits while the pipe is full. */
    void write(String line) throws IOException {
        stdin.write((line + "\n").getBytes(StandardCharsets.UTF_8));
        stdin.flush();
    }

    /** Closes stdin: the engine answers what it has, and exits. */
    void finish() {
        try {
            stdin.close();
        } catch (IOException e) {
            kill();
        }
    }

    void kill() {
        process.destroyForcibly();
    }

    Process process() {
        return process;
    }

    String end() {
        return "ended (exit status " + process.exitValue() + ")";
    }

    List<String> lastWords() {
        synchronized (stderr) {
            return new ArrayList<>(stderr);
        }
    }

    private void drainStderr() {
        // Not by lines: one may be longer than memory.
        try (InputStreamReader reader = new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8)) {
            char[] buffer = new char[8192];
            StringBuilder line = new StringBuilder();
            for (int count; (count = reader.read(buffer)) >= 0; ) {
                for (int i = 0; i < count; i++) {
                    if (buffer[i] == '\n') {
                        keep(line.toString());
                        line.setLength(0);
                    } else if (line.length() < STDERR_LINE_LENGTH) {
                        line.append(buffer[i]);
                    }
                }
            }
            if (line.length() > 0) {
                keep(line.toString());
            }
        } catch (IOException e) {
            keep("stderr: " + e.getMessage());
        }
    }

    private void keep(String line) {
        synchronized (stderr) {
            stderr.addLast(line);
            if (stderr.size() > STDERR_LINES) {
                stderr.removeFirst();
            }
        }
    }
}
