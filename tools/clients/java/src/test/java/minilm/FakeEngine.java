package minilm;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Base64;

/**
 * An engine that misbehaves as its arguments say: a file for its log and memory, a misbehaviour, a number. It errs only the first time it is
 * started with the file. The vector of a text is [its length, its first character].
 */
final class FakeEngine {
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    public static void main(String[] arguments) throws Exception {
        Path log = Path.of(arguments[0]);
        boolean first = !Files.exists(log);
        String misbehaviour = first || arguments[1].startsWith("always ") ? arguments[1].replace("always ", "") : "none";
        int number = Integer.parseInt(arguments[2]);
        Files.writeString(log, "started\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        if (misbehaviour.equals("fail")) {
            System.err.println("the model is broken");
            System.exit(66);
        }
        int embeds = 0;
        JsonElement held = null;
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            Files.writeString(log, line.substring(0, Math.min(line.length(), 300)) + "\n", StandardOpenOption.APPEND);
            JsonObject request = JsonParser.parseString(line).getAsJsonObject();
            JsonElement id = request.get("id");
            switch (request.get("method").getAsString()) {
                case "initialize" -> say(id, "\"result\":{\"limits\":{\"max_line_bytes\":100000,\"max_concurrent_requests\":null}}");
                case "$/cancelRequest" -> {
                    if (held != null) {
                        say(held, "\"error\":{\"code\":-32800,\"message\":\"cancelled\"}");
                    }
                    held = null;
                }
                default -> {
                    embeds += 1;
                    JsonArray texts = request.getAsJsonObject("params").getAsJsonArray("input");
                    String one = texts.size() == 1 ? texts.get(0).getAsString() : "";
                    if (one.equals("!hold")) {
                        held = id;
                    } else if (misbehaviour.equals("stall")) {
                        continue;
                    } else if (misbehaviour.equals("overload") && embeds <= number) {
                        say(id, "\"error\":{\"code\":-32001,\"message\":\"overloaded\",\"data\":{\"retry_after_ms\":5}}");
                    } else if (misbehaviour.equals("limit") && texts.size() > number) {
                        say(id, "\"error\":{\"code\":-32002,\"message\":\"too many\",\"data\":{\"limit\":\"x\"}}");
                    } else if (one.equals("!poison") || misbehaviour.equals("crash") && embeds == number) {
                        OUT.print("{\"jsonrpc\":\"2.0\",\"id\":" + id + ",\"resu");
                        OUT.flush();
                        Runtime.getRuntime().halt(9);
                    } else {
                        if (misbehaviour.equals("flood")) {
                            System.err.print("x".repeat(number));
                        } else if (misbehaviour.equals("noise")) {
                            OUT.println("warning: a library prints this");
                        }
                        say(id, "\"result\":{\"data\":" + data(texts) + "}");
                    }
                }
            }
        }
    }

    private static void say(JsonElement id, String rest) {
        OUT.println("{\"jsonrpc\":\"2.0\",\"id\":" + id + "," + rest + "}");
    }

    /** Items in the reverse order of the texts. */
    private static String data(JsonArray texts) {
        StringBuilder data = new StringBuilder("[");
        for (int i = texts.size() - 1; i >= 0; i--) {
            String text = texts.get(i).getAsString();
            ByteBuffer vector = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
            vector.putFloat(text.length()).putFloat(text.isEmpty() ? 0 : text.charAt(0));
            String base64 = Base64.getEncoder().encodeToString(vector.array());
            data.append("{\"index\":").append(i).append(text.equals("!bad")
                    ? ",\"error\":{\"code\":-32003,\"message\":\"bad text\"}}"
                    : ",\"embedding\":\"" + base64 + "\",\"tokens\":2,\"truncated\":false}");
            data.append(i > 0 ? "," : "]");
        }
        return data.toString();
    }
}
