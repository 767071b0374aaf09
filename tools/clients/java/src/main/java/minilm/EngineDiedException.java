package minilm;

import java.util.List;

/** The engine could not be started, died more often than allowed, or the client was closed. */
public final class EngineDiedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient List<String> stderr;

    EngineDiedException(String message, List<String> stderr, Throwable cause) {
        super(message + (stderr.isEmpty() ? "" : "; its last words: " + String.join(" | ", last(stderr))), cause);
        this.stderr = List.copyOf(stderr);
    }

    /** The last lines that the engine wrote to stderr. */
    public List<String> stderr() {
        return stderr;
    }

    private static List<String> last(List<String> lines) {
        return lines.subList(Math.max(0, lines.size() - 5), lines.size());
    }
}
