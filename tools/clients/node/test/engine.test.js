// The client with the real engine.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { Minilm } from "../src/index.js";
import { client, engine, isAlive, largestDifference, reference, until } from "./support.js";

const texts = ["The cat sits outside.", "", "Naïve café 日本語 😀", "tab\tand \"quotes\" \\ \u0000 \u2028", "word ".repeat(600)];

// What the engine says it knows. Tests of what it does not are skipped.
const known = await (async () => {
  const minilm = new Minilm({ command: engine });
  const has = (promise) => promise.then(() => true, (error) => { if (error.code === undefined) throw error; return false; });
  const answer = { stats: await has(minilm.stats()), tokenize: await has(minilm.tokenize("a")) };
  answer.options = await has(minilm.embed("a", { dimensions: 8 }));
  await minilm.close();
  return answer;
})();
const skip = (name) => (known[name] ? false : "this engine has no such feature");

test("vectors equal those of the command line", async (t) => {
  const minilm = client(t, { textsPerRequest: 2 });
  const expected = reference(texts);
  assert.ok(largestDifference(await minilm.embed(texts), expected) <= 1e-6);
  assert.ok(largestDifference([await minilm.embed(texts[0])], expected.slice(0, 1)) <= 1e-6);
  const streamed = [];
  for await (const item of minilm.stream(texts)) streamed[item.index] = item;
  assert.ok(largestDifference(streamed.map(({ vector }) => vector), expected) <= 1e-6);
  assert.equal(streamed[4].truncated, true);
  assert.equal((await minilm.info()).model.dimension, 384);
});

test("an engine killed in the middle of its work costs no answer", async (t) => {
  const minilm = client(t, { textsPerRequest: 8 });
  const many = Array.from({ length: 200 }, (_, i) => `sentence number ${i} of many`);
  const expected = reference(many);
  const pids = new Set();
  const vectors = [];
  for await (const { index, vector } of minilm.stream(many)) {
    vectors.push(vector);
    pids.add(minilm.pid);
    if (index === 20 || index === 100) process.kill(minilm.pid, "SIGKILL");
  }
  assert.ok(largestDifference(vectors, expected) <= 1e-6);
  assert.ok(pids.size >= 2);
});

test("ten thousand texts come back in order", async (t) => {
  const minilm = client(t);
  const distinct = ["a", "b", "cat", "dog", "sun", "no", "yes"];
  const expected = reference(distinct);
  const many = Array.from({ length: 10_000 }, (_, i) => distinct[(i * i) % 7]);
  const vectors = await minilm.embed(many);
  assert.ok(largestDifference(vectors, many.map((text) => expected[distinct.indexOf(text)])) <= 1e-6);
});

test("an aborted call leaves the engine usable", async (t) => {
  const minilm = client(t);
  await minilm.embed("warm");
  const abort = new AbortController();
  const long = minilm.embed(Array.from({ length: 1000 }, () => "word ".repeat(100)), { signal: abort.signal });
  setTimeout(() => abort.abort(), 50);
  await assert.rejects(long, { name: "AbortError" });
  assert.equal((await minilm.embed("after")).length, 384);
});

const host = `
  import { Minilm } from ${JSON.stringify(new URL("../src/index.js", import.meta.url).href)};
  const minilm = new Minilm({ command: ${JSON.stringify(engine)} });
  await minilm.embed("a");
  process.stdout.write(minilm.pid + "\\n");
`;
const node = ["--input-type=module", "-e"];

test("a host that is killed leaves no engine behind", async () => {
  const busy = host + `await minilm.embed(Array(2000).fill("word ".repeat(50)));`;
  const child = spawn(process.execPath, [...node, busy], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(child.stdout.setEncoding("utf8"), "data");
  const pid = Number(line);
  assert.ok(isAlive(pid));
  child.kill("SIGKILL");
  await until(() => !isAlive(pid));
});

test("an idle client lets its process end, without and with process.exit", async () => {
  for (const end of ["", "minilm.embed(Array(500).fill('word '.repeat(50))); process.exit(0);"]) {
    const result = spawnSync(process.execPath, [...node, host + end], { encoding: "utf8", timeout: 60_000 });
    assert.equal(result.status, 0, result.stderr);
    await until(() => !isAlive(Number(result.stdout)));
  }
});

test("tokens and counts", { skip: skip("tokenize") }, async (t) => {
  const minilm = client(t, { textsPerRequest: 1 });
  const [first, second] = await minilm.tokenize(["a cat", "b"]);
  assert.deepEqual(first.tokens, ["[CLS]", "a", "cat", "[SEP]"]);
  assert.equal(second.ids.length, 3);
  assert.deepEqual(await minilm.count("a cat"), { tokens: 4, dropped: 0 });
  const plan = await minilm.plan([4, 100, 256]);
  assert.equal(plan.texts, 3);
  assert.equal(plan.fits, true);
});

test("dimensions and precisions", { skip: skip("options") }, async (t) => {
  const minilm = client(t);
  const [full] = reference(["A cat."]);
  assert.equal((await minilm.embed("A cat.", { dimensions: 64 })).length, 64);
  for await (const { vector, scale } of minilm.stream(["A cat."], { precision: "int8" })) {
    assert.ok(vector instanceof Int8Array);
    vector.forEach((value, k) => assert.ok(Math.abs(value * scale - full[k]) <= scale * 0.51));
  }
  for await (const { vector, zeroPoint } of minilm.stream(["A cat."], { precision: "uint8" })) {
    assert.ok(vector instanceof Uint8Array);
    assert.equal(zeroPoint, 128);
  }
  const bits = await minilm.embed("A cat.", { precision: "ubinary" });
  assert.equal(bits.length, 48);
  full.forEach((value, k) => assert.equal((bits[k >> 3] >> (7 - (k & 7))) & 1, value > 0 ? 1 : 0));
  assert.ok((await minilm.embed("A cat.", { precision: "binary" })) instanceof Int8Array);
});

test("a deadline that passes is an error", { skip: skip("options") }, async (t) => {
  const minilm = client(t);
  await minilm.embed("warm");
  const long = Array.from({ length: 1000 }, () => "word ".repeat(200));
  await assert.rejects(minilm.embed(long, { timeout: 50 }), (error) => error.code === -32005);
});

test("overload is waited out", { skip: skip("options") }, async (t) => {
  const minilm = client(t, { args: ["--max-concurrent-requests", "1"], textsPerRequest: 1, maxRequests: 8 });
  const vectors = await Promise.all(Array.from({ length: 40 }, (_, i) => minilm.embed(`text ${i}`)));
  assert.ok(largestDifference(vectors, reference(Array.from({ length: 40 }, (_, i) => `text ${i}`))) <= 1e-6);
});

test("the stats are an object", { skip: skip("stats") }, async (t) => {
  assert.equal(typeof (await client(t).stats()), "object");
});
