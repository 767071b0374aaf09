// What a client does when its engine misbehaves; the engine is fake-engine.js.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EngineDied, RequestError, TextErrors } from "../src/index.js";
import { client, fake, isAlive, temporaryFolder, until } from "./support.js";

const numbered = (count) => Array.from({ length: count }, (_, i) => String.fromCharCode(0x100 + i).repeat(1 + (i % 7)));
const expected = (texts) => texts.map((text) => [text.length, text.charCodeAt(0)]);
const plain = (vectors) => vectors.map((vector) => [...vector]);

test("answers out of order come back in the order of the texts", async (t) => {
  const minilm = fake(t, {}, { textsPerRequest: 3 });
  const texts = numbered(1000);
  assert.deepEqual(plain(await minilm.embed(texts)), expected(texts));
  assert.deepEqual(await minilm.embed([]), []);
});

test("no more requests than allowed are in flight", async (t) => {
  const minilm = fake(t, {}, { textsPerRequest: 1, maxRequests: 4 });
  await Promise.all([minilm.embed(numbered(50)), ...numbered(50).map((text) => minilm.embed(text))]);
  const { embeds, most } = await minilm.stats();
  assert.equal(embeds, 100);
  assert.ok(most <= 4, `${most} in flight`);
});

test("an engine that dies is replaced, and what it owed is asked again", async (t) => {
  const once = join(temporaryFolder(t), "once");
  const minilm = fake(t, { once, crashAt: 5 }, { textsPerRequest: 2 });
  const texts = numbered(100);
  assert.deepEqual(plain(await minilm.embed(texts)), expected(texts));
});

test("a stream whose engine dies amid partial results gives every item once", async (t) => {
  const once = join(temporaryFolder(t), "once");
  const minilm = fake(t, { once, crashAt: 3 }, { textsPerRequest: 4 });
  const texts = numbered(50);
  const items = [];
  for await (const item of minilm.stream(texts)) items.push(item);
  assert.deepEqual(items.map(({ index }) => index), texts.map((_, i) => i));
  assert.deepEqual(plain(items.map(({ vector }) => vector)), expected(texts));
});

test("only the request that kills engines fails", async (t) => {
  const minilm = fake(t);
  const good = numbered(6).map((text) => minilm.embed(text));
  const bad = minilm.embed("!poison");
  const more = numbered(6).map((text) => minilm.embed(text));
  await assert.rejects(bad, (error) => error instanceof EngineDied && error.signal === "SIGKILL");
  assert.deepEqual(plain(await Promise.all([...good, ...more])), expected([...numbered(6), ...numbered(6)]));
});

test("an engine that never starts is given up, with its last words", async (t) => {
  const minilm = fake(t, { failStart: true }, { maxRestarts: 1 });
  await assert.rejects(minilm.embed("a"), (error) => {
    assert.ok(error instanceof EngineDied);
    assert.equal(error.exitCode, 66);
    assert.match(error.message, /the model is broken/);
    return true;
  });
});

test("a program that is not there is an error at once", async (t) => {
  const minilm = client(t, { command: "/nonexistent/minilm" });
  await assert.rejects(minilm.embed("a"), (error) => error instanceof EngineDied && error.cause.code === "ENOENT");
});

test("an engine that stalls is replaced", async (t) => {
  const once = join(temporaryFolder(t), "once");
  const minilm = fake(t, { once, stall: true }, { stallTimeoutMs: 150 });
  assert.deepEqual([...(await minilm.embed("abc"))], [3, 97]);
});

test("an engine that writes noise on stdout is replaced", async (t) => {
  const once = join(temporaryFolder(t), "once");
  const minilm = fake(t, { once, noise: true });
  assert.deepEqual([...(await minilm.embed("abc"))], [3, 97]);
});

test("overload is retried", async (t) => {
  const minilm = fake(t, { overload: 20 }, { textsPerRequest: 5 });
  const texts = numbered(100);
  assert.deepEqual(plain(await minilm.embed(texts)), expected(texts));
  const never = fake(t, { overload: 1e9 }, { maxOverloadRetries: 2 });
  await assert.rejects(never.embed("a"), (error) => error instanceof RequestError && error.code === -32001);
});

test("a request over the engine's limits is sent in halves", async (t) => {
  const minilm = fake(t, { maxTexts: 10 });
  const texts = numbered(100);
  assert.deepEqual(plain(await minilm.embed(texts)), expected(texts));
  const long = "x".repeat(200_000);
  const error = await minilm.embed(["a", long, "b"]).catch((error) => error);
  assert.ok(error instanceof TextErrors);
  assert.deepEqual(error.errors.map(({ index, error: { code } }) => [index, code]), [[1, -32002]]);
  assert.deepEqual([...error.results[2]], [1, 98]);
});

test("a text that fails has its own error", async (t) => {
  const minilm = fake(t);
  const error = await minilm.embed(["a", "!bad", "b\ud800"]).catch((error) => error);
  assert.ok(error instanceof TextErrors);
  assert.deepEqual(error.errors.map(({ index, error: { code } }) => [index, code]), [[1, -32003], [2, -32602]]);
  assert.deepEqual([...error.results[0]], [1, 97]);
  await assert.rejects(minilm.embed("!bad"), (error) => error instanceof RequestError && error.code === -32003);
  const items = [];
  for await (const item of minilm.stream(["a", "!bad", "c"])) items.push(item);
  assert.equal(items[1].error.code, -32003);
  await assert.rejects(minilm.embed(["a", 5]), TypeError);
});

test("aborting tells the engine and rejects with the reason", async (t) => {
  const log = join(temporaryFolder(t), "log");
  const minilm = fake(t, { log });
  const abort = new AbortController();
  const held = minilm.embed("!hold", { signal: abort.signal });
  assert.deepEqual([...(await minilm.embed("ab"))], [2, 97]);
  abort.abort(new Error("no longer wanted"));
  await assert.rejects(held, /no longer wanted/);
  await minilm.embed("ab");
  assert.match(readFileSync(log, "utf8"), /"method":"\$\/cancelRequest","params":\{"id":1\}/);
  await assert.rejects(minilm.embed("ab", { signal: abort.signal }), /no longer wanted/);
});

test("a timeout is a deadline for the engine, and holds without its help", async (t) => {
  const log = join(temporaryFolder(t), "log");
  const minilm = fake(t, { log });
  await minilm.info().catch(() => {});
  await assert.rejects(minilm.embed("!hold", { timeout: 100 }), (error) => error.code === -32005);
  assert.match(readFileSync(log, "utf8"), /"deadline_ms":\d+/);
});

test("a stream that is left early is cancelled", async (t) => {
  const log = join(temporaryFolder(t), "log");
  const minilm = fake(t, { log }, { textsPerRequest: 1 });
  for await (const { vector } of minilm.stream(["a", "!hold", "b"])) {
    assert.deepEqual([...vector], [1, 97]);
    break;
  }
  await until(() => readFileSync(log, "utf8").includes("$/cancelRequest"));
});

test("a slow source of texts is embedded as it comes", async (t) => {
  const minilm = fake(t);
  let release;
  async function* source() {
    yield "a";
    await new Promise((resolve) => (release = resolve));
    yield "b";
  }
  const items = minilm.stream(source());
  assert.deepEqual([...(await items.next()).value.vector], [1, 97]);
  release();
  assert.deepEqual([...(await items.next()).value.vector], [1, 98]);
  assert.equal((await items.next()).done, true);
});

test("a flood on stderr blocks nothing", async (t) => {
  const minilm = fake(t, { stderrBytes: 8_000_000 });
  assert.deepEqual([...(await minilm.embed("abc"))], [3, 97]);
});

test("large requests wait for the pipe", async (t) => {
  const minilm = fake(t, {}, { bytesPerRequest: 50_000 });
  const texts = Array.from({ length: 400 }, (_, i) => String.fromCharCode(97 + (i % 26)).repeat(20_000));
  assert.deepEqual(plain(await minilm.embed(texts)), expected(texts));
});

test("close waits for what was asked, ends the engine and takes no more", async (t) => {
  const minilm = fake(t, {}, { textsPerRequest: 1 });
  const asked = minilm.embed(["a", "b"]);
  await minilm.embed("c");
  const { pid } = minilm;
  await Promise.all([minilm.close(), asked]);
  assert.ok(!isAlive(pid));
  await assert.rejects(minilm.embed("d"), EngineDied);
});
