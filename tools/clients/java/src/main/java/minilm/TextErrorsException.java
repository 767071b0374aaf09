package minilm;

import java.util.List;
import java.util.Map;
import java.util.SortedMap;

/** Some texts failed; the others have their results. */
public final class TextErrorsException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient SortedMap<Integer, RequestException> errors;
    private final transient List<Embedding> results;

    TextErrorsException(SortedMap<Integer, RequestException> errors, List<Embedding> results) {
        super(message(errors, results.size()));
        this.errors = errors;
        this.results = results;
    }

    /** The errors by the index of their text. */
    public SortedMap<Integer, RequestException> errors() {
        return errors;
    }

    /** An item for each text; those of texts that failed have an error. */
    public List<Embedding> results() {
        return results;
    }

    private static String message(SortedMap<Integer, RequestException> errors, int count) {
        Map.Entry<Integer, RequestException> first = errors.entrySet().iterator().next();
        return errors.size() + " of " + count + " texts failed; text " + first.getKey() + ": "
                + first.getValue().getMessage();
    }
}
