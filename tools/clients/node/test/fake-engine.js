// An engine that misbehaves as its arguments (JSON) and the texts say. The vector of a text is [its length, its first character].
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const { once, crashAt, stall, overload = 0, stderrBytes = 0, failStart, maxTexts, log, initialize = true, noise } = JSON.parse(
  process.argv[2] ?? "{}",
);
// With `once` (a file), only the first engine misbehaves.
const misbehaves = once === undefined || !existsSync(once);
if (once !== undefined) writeFileSync(once, "");

const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
const held = new Set();
let embeds = 0;
let turnedAway = 0;
let open = 0;
let most = 0;

if (failStart && misbehaves) {
  process.stderr.write("the model is broken\n");
  process.exit(66);
}

function vector(text) {
  const values = new Float32Array([text.length, text.charCodeAt(0) || 0]);
  return Buffer.from(values.buffer).toString("base64");
}

function embed(id, { input, stream }) {
  embeds += 1;
  if (misbehaves && stall) return;
  if (turnedAway < overload) {
    turnedAway += 1;
    return say({ id, error: { code: -32001, message: "overloaded", data: { retry_after_ms: 5 } } });
  }
  if (maxTexts && input.length > maxTexts) {
    return say({ id, error: { code: -32002, message: "too many", data: { limit: "max_client_batch_size" } } });
  }
  if (input.includes("!hold")) return held.add(id);
  if (stderrBytes) process.stderr.write("x".repeat(79).concat("\n").repeat(stderrBytes / 80));
  if (misbehaves && noise) process.stdout.write("warning: a library prints this\n");
  const data = input.map((text, index) =>
    text === "!bad"
      ? { index, error: { code: -32003, message: "bad text" } }
      : { object: "embedding", index, embedding: vector(text), tokens: 2, truncated: false },
  );
  open += 1;
  most = Math.max(most, open);
  // Answers come in an order that is not that of the requests.
  setTimeout(
    () => {
      open -= 1;
      if (stream) for (const item of data) say({ method: "embed/partial", params: { id, data: [item] } });
      if ((misbehaves && embeds === crashAt) || input.includes("!poison")) {
        return process.stdout.write("", () => process.kill(process.pid, "SIGKILL"));
      }
      say({ id, result: stream ? { object: "list" } : { object: "list", data } });
    },
    embeds % 3,
  );
}

createInterface({ input: process.stdin }).on("line", (line) => {
  if (log) appendFileSync(log, line + "\n");
  const { id, method, params } = JSON.parse(line);
  if (method === "initialize" && initialize) {
    say({ id, result: { protocolVersion: "1", limits: { max_line_bytes: 100_000 } } });
  } else if (method === "embed") {
    embed(id, params);
  } else if (method === "$/cancelRequest") {
    if (held.delete(params.id)) say({ id: params.id, error: { code: -32800, message: "cancelled" } });
  } else if (method === "stats") {
    say({ id, result: { embeds, most } });
  } else {
    say({ id, error: { code: -32601, message: "no such method" } });
  }
});
