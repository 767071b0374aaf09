import { chunks } from "./chunks.js";
import { Dispatcher } from "./dispatcher.js";
import { Code, RequestError, TextErrors } from "./errors.js";
import { decodeVector } from "./vectors.js";

const defaults = {
  args: [],
  maxRequests: 8,
  maxBytes: 8 << 20,
  textsPerRequest: 128,
  bytesPerRequest: 1 << 20,
  maxRestarts: 3,
  maxOverloadRetries: 100,
  startTimeoutMs: 60_000,
  stallTimeoutMs: 300_000,
  closeTimeoutMs: 5_000,
  stderrLines: 20,
};

/** JavaScript names of parameters and those on the wire. */
const wireNames = {
  dimensions: "dimensions",
  normalize: "normalize",
  truncate: "truncate",
  truncationDirection: "truncation_direction",
  maxTokens: "max_tokens",
  prompt: "prompt",
  precision: "precision",
  priority: "priority",
};

/** The engine as an object. One process serves all calls; it starts at the first one. */
export class Minilm {
  #options;
  #dispatcher;

  /** @param {import("../index.d.ts").MinilmOptions} [options] */
  constructor(options = {}) {
    for (const name of Object.keys(options)) {
      if (!(name in defaults) && !["command", "model", "threads", "env", "cwd"].includes(name)) {
        throw new TypeError(`no such option: ${name}`);
      }
    }
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    this.#options = { ...defaults, ...given };
    const { model, threads, args, env } = this.#options;
    const command = this.#options.command ?? (process.env.MINILM || "minilm");
    const [program, ...before] = Array.isArray(command) ? command : [command, "serve"];
    const flags = [];
    if (model !== undefined) flags.push("--model", model);
    if (threads !== undefined) flags.push("--threads", String(threads));
    this.#dispatcher = new Dispatcher({
      ...this.#options,
      command: program,
      args: [...before, ...flags, ...args],
      env: env ? { ...process.env, ...env } : undefined,
    });
  }

  /** Process id of the engine while it runs. */
  get pid() {
    return this.#dispatcher.pid;
  }

  /** Vectors of the texts, in their order; one vector for a single string. */
  async embed(texts, options = {}) {
    return this.#collect("embed", texts, options, ({ vector }) => vector);
  }

  /** Items with vectors one by one, in order, as they are computed; a text that fails is an item with `error`. */
  async *stream(texts, options = {}) {
    if (typeof texts === "string") texts = [texts];
    for await (const items of this.#run("embed", texts, options, true)) yield* items;
  }

  async tokenize(texts, options = {}) {
    return this.#collect("tokenize", texts, options, ({ index: _, ...rest }) => rest);
  }

  async count(texts, options = {}) {
    return this.#collect("count", texts, options, ({ index: _, ...rest }) => rest);
  }

  /** What embedding texts, or texts of these `lengths` in tokens, would take. */
  async plan(request, options = {}) {
    const { texts, lengths } = Array.isArray(request) && typeof request[0] === "number"
      ? { lengths: request }
      : { texts: request };
    const params = { ...wireParams(options), ...(texts === undefined ? { lengths } : { input: texts }) };
    return this.#single("plan", params, options);
  }

  async info(options = {}) {
    return this.#single("info", {}, options);
  }

  async stats(options = {}) {
    return this.#single("stats", {}, options);
  }

  /** Waits for what is asked (with `drain: false`: rejects it), and ends the engine. */
  async close(options) {
    await this.#dispatcher.close(options);
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }

  async #single(method, params, { signal, timeout, priority }) {
    const group = new CallGroup(this.#dispatcher, signal, timeout);
    try {
      return await group.call(method, { params, priority }).promise;
    } finally {
      group.end();
    }
  }

  async #collect(method, texts, options, pick) {
    const single = typeof texts === "string";
    const results = [];
    const errors = [];
    for await (const items of this.#run(method, single ? [texts] : texts, options, false)) {
      for (const item of items) {
        if (item.error) errors.push({ index: item.index, error: item.error });
        results.push(item.error ? null : pick(item));
      }
    }
    if (single && errors.length > 0) throw errors[0].error;
    if (errors.length > 0) throw new TextErrors(errors, results);
    return single ? results[0] : results;
  }

  /** Runs of items in the order of the texts; a bounded number of requests is ahead of who reads. */
  async *#run(method, texts, options, streaming) {
    if (!texts?.[Symbol.iterator] && !texts?.[Symbol.asyncIterator]) throw new TypeError("texts: not iterable");
    const params = wireParams(options);
    if (method === "embed") params.encoding_format = "base64";
    const decode = method === "embed" ? (item) => embeddingItem(item, options.precision) : (item) => item;
    const limits = { maxTexts: this.#options.textsPerRequest, maxBytes: this.#options.bytesPerRequest };

    const group = new CallGroup(this.#dispatcher, options.signal, options.timeout);
    const source = chunks(texts, limits);
    /** @type {Part[]} */
    const ahead = [];
    let ended = false;
    let failure;
    let wakeReader = () => {};
    let wakeFiller = () => {};
    let first = 0;

    const fill = async () => {
      try {
        for await (const entries of source) {
          ahead.push(new Part(group, method, entries, first, { params, decode, streaming, priority: options.priority }));
          first += entries.length;
          wakeReader();
          if (group.reason === undefined && ahead.length >= this.#options.maxRequests) {
            await new Promise((resolve) => (wakeFiller = resolve));
          }
          if (ended || group.reason !== undefined) return;
        }
      } catch (error) {
        failure = { error };
      } finally {
        ended = true;
        wakeReader();
      }
    };

    try {
      void fill();
      for (;;) {
        if (ahead.length > 0) {
          yield* ahead[0].runs();
          ahead.shift();
          wakeFiller();
        } else if (group.reason !== undefined) {
          throw group.reason;
        } else if (ended) {
          if (failure) throw failure.error;
          return;
        } else {
          await Promise.race([new Promise((resolve) => (wakeReader = resolve)), group.abandoned]);
        }
      }
    } finally {
      ended = true;
      group.end(new DOMException("the results are no longer read", "AbortError"));
      wakeFiller();
    }
  }
}

/** Calls that are given up together: when the signal says so, when time is up, or when nobody reads on. */
class CallGroup {
  /** Why the calls were given up. */
  reason = undefined;
  /** Resolves when they are. */
  abandoned;

  #dispatcher;
  #calls = new Set();
  #signal;
  #onAbort;
  #timer;
  #deadlineAt;
  #abandon;

  constructor(dispatcher, signal, timeout) {
    this.#dispatcher = dispatcher;
    this.abandoned = new Promise((resolve) => (this.#abandon = resolve));
    this.#signal = signal;
    this.#onAbort = () => this.#giveUp(signal.reason);
    if (timeout !== undefined) {
      this.#deadlineAt = Date.now() + timeout;
      const error = new RequestError(`no answer within ${timeout} ms`, Code.deadline);
      this.#timer = setTimeout(() => this.#giveUp(error), timeout);
    }
    if (signal?.aborted) this.#onAbort();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** @returns {{promise: Promise<any>}} */
  call(method, request) {
    if (this.reason !== undefined) return { promise: Promise.reject(this.reason) };
    const call = this.#dispatcher.call(method, { ...request, deadlineAt: this.#deadlineAt });
    this.#calls.add(call);
    call.promise.then(
      () => this.#calls.delete(call),
      () => this.#calls.delete(call),
    );
    return call;
  }

  end(reason) {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#giveUp(reason);
  }

  #giveUp(reason) {
    this.reason ??= reason;
    for (const call of this.#calls) this.#dispatcher.cancel(call, this.reason);
    this.#abandon();
  }
}

/** One request's share of the texts. */
class Part {
  #items;
  #wake = () => {};
  #done;

  constructor(group, method, entries, first, { params, decode, streaming, priority }) {
    this.#items = entries.map(({ error }, i) => (error ? { index: first + i, error } : undefined));
    const places = entries.flatMap(({ error }, i) => (error ? [] : [i]));
    const place = (item, offset, count) => {
      const i = offset + item.index;
      if (!(item.index >= 0 && item.index < count)) throw new RequestError("an answer to no text", Code.internal);
      // A request that was sent again brings some items twice; they are the same.
      this.#items[places[i]] ??= {
        ...(item.error ? { error: RequestError.from(item.error) } : decode(item)),
        index: first + places[i],
      };
    };

    const ask = async (offset, texts) => {
      const onPartial = streaming && ((data) => {
        try {
          for (const item of data) place(item, offset, texts.length);
        } catch {
          // What cannot be read is missing at the end, which is an error then.
        }
        this.#wake();
      });
      const input = `[${texts.join(",")}]`;
      try {
        const answer = await group.call(method, { input, params, priority, onPartial }).promise;
        for (const item of answer.data ?? []) place(item, offset, texts.length);
        this.#wake();
      } catch (error) {
        if (!tooMuch.has(error.code)) throw error;
        if (texts.length === 1) {
          this.#items[places[offset]] = { index: first + places[offset], error };
        } else {
          const half = texts.length >> 1;
          await ask(offset, texts.slice(0, half));
          await ask(offset + half, texts.slice(half));
        }
      }
    };
    const texts = places.map((i) => entries[i].json);
    this.#done = (texts.length > 0 ? ask(0, texts) : Promise.resolve()).then(() => true);
    this.#done.catch(() => {});
  }

  /** What is there from the front on, as it comes. */
  async *runs() {
    let next = 0;
    for (;;) {
      const woken = new Promise((resolve) => (this.#wake = resolve));
      const start = next;
      while (next < this.#items.length && this.#items[next] !== undefined) next += 1;
      if (next > start) yield this.#items.slice(start, next);
      if (next === this.#items.length) return;
      if ((await Promise.race([this.#done, woken])) === true && this.#items[next] === undefined) {
        throw new RequestError("the engine left texts without an answer", Code.internal);
      }
    }
  }
}

/** Errors that fewer texts at a time may avoid, and that otherwise are one text's own. */
const tooMuch = new Set([Code.tooLarge, Code.textTooLong, Code.memory]);

function embeddingItem({ embedding, tokens, truncated, scale, zero_point: zeroPoint }, precision) {
  const item = { vector: decodeVector(embedding, precision ?? "float32"), tokens, truncated };
  if (scale !== undefined) item.scale = scale;
  if (zeroPoint !== undefined) item.zeroPoint = zeroPoint;
  return item;
}

function wireParams(options) {
  const params = {};
  for (const [name, value] of Object.entries(options)) {
    if (name === "signal" || name === "timeout" || value === undefined) continue;
    if (!(name in wireNames)) throw new TypeError(`no such option: ${name}`);
    params[wireNames[name]] = value;
  }
  return params;
}
