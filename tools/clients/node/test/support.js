import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Minilm } from "../src/index.js";

const here = dirname(fileURLToPath(import.meta.url));

/** The engine: $MINILM, else .build/release/minilm up the tree, else minilm on PATH. */
export const engine = findEngine();

function findEngine() {
  if (process.env.MINILM) return process.env.MINILM;
  for (let folder = here; folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, ".build/release/minilm");
    if (existsSync(path)) return path;
  }
  return "minilm";
}

/** A client that is closed after the test. */
export function client(t, options = {}) {
  const minilm = new Minilm({ command: engine, ...options });
  t.after(() => minilm.close({ drain: false }));
  return minilm;
}

export function fake(t, behaviour = {}, options = {}) {
  return client(t, { command: [process.execPath, join(here, "fake-engine.js"), JSON.stringify(behaviour)], ...options });
}

export function temporaryFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), "minilm-client-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Vectors as the command line writes them. */
export function reference(texts) {
  const input = texts.map((text) => JSON.stringify({ text })).join("\n") + "\n";
  const flags = ["embed", "--quiet", "--input-format", "jsonl", "--format", "jsonl"];
  const output = execFileSync(engine, flags, { input, maxBuffer: 1 << 30, encoding: "utf8" });
  return output.trimEnd().split("\n").map((line) => JSON.parse(line).embedding);
}

export function largestDifference(vectors, expected) {
  let largest = vectors.length === expected.length ? 0 : Infinity;
  vectors.forEach((vector, i) => {
    if (vector.length !== expected[i].length) largest = Infinity;
    vector.forEach((value, k) => (largest = Math.max(largest, Math.abs(value - expected[i][k]))));
  });
  return largest;
}

export async function until(condition, milliseconds = 60_000) {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${milliseconds} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Whether the process runs; one that ended and is not yet collected does not. */
export function isAlive(pid) {
  try {
    const state = execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return state !== "" && !state.startsWith("Z");
  } catch {
    return false;
  }
}
