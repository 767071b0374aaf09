import { Code, EngineDied, RequestError } from "./errors.js";
import { EngineProcess } from "./engine-process.js";

/**
 * A request on its way.
 * @typedef {object} Call
 * @property {number} id also its place in the queue: a call that is sent again keeps it
 * @property {string} method
 * @property {string | undefined} input JSON text of the array of texts
 * @property {Record<string, unknown>} params the other parameters
 * @property {number} bytes
 * @property {number} priority
 * @property {number | undefined} deadlineAt `Date.now()` at which the answer is of no more use
 * @property {((data: any[]) => void) | false} [onPartial]
 * @property {number} deaths engines that died while they had this call
 * @property {number} overloads times it was turned away
 * @property {boolean} settled the caller has its result, error or cancellation
 * @property {Promise<any>} promise
 * @property {(result: any) => void} resolve
 * @property {(error: unknown) => void} reject
 */

const backoff = (deaths) => Math.min(100 * 2 ** (deaths - 1), 5000);

/** Keeps one engine running, what it is asked at a time bounded, and every call answered once. */
export class Dispatcher {
  /** What the engine says about itself; null if it knows no `initialize`, undefined before it started. */
  engineInfo = undefined;

  #options;
  /** @type {Call[]} in the order in which they are sent */
  #queue = [];
  /** @type {Map<number, Call>} */
  #inFlight = new Map();
  #bytesInFlight = 0;
  #lastId = 0;
  /** @type {EngineProcess | null} */
  #engine = null;
  #ready = false;
  #failedStarts = 0;
  #deathsInRow = 0;
  #restartTimer = null;
  #pauseTimer = null;
  #watch = null;
  #askedAt = 0;
  /** @type {Promise<void> | null} */
  #closing = null;
  #onIdle = () => {};
  #onEngineEnd = () => {};

  constructor(options) {
    this.#options = options;
  }

  get pid() {
    return this.#engine?.pid;
  }

  get inFlight() {
    return this.#inFlight.size;
  }

  /**
   * @param {string} method
   * @param {Pick<Call, "input" | "params" | "onPartial"> & {priority?: number, deadlineAt?: number}} request
   * @returns {Call}
   */
  call(method, { input, params, priority = 0, deadlineAt, onPartial }) {
    const id = ++this.#lastId;
    /** @type {any} */
    const call = { id, method, input, params, priority, deadlineAt, onPartial };
    Object.assign(call, { bytes: (input?.length ?? 0) + 200, deaths: 0, overloads: 0, settled: false });
    call.promise = new Promise((resolve, reject) => Object.assign(call, { resolve, reject }));
    call.promise.catch(() => {});
    if (this.#closing) {
      this.#settle(call, "reject", new EngineDied("the client is closed"));
    } else {
      this.#enqueue(call);
      this.#pump();
    }
    return call;
  }

  /** Gives up a call: it is rejected with `reason` now, and the engine is told. @param {Call} call */
  cancel(call, reason) {
    if (call.settled) return;
    this.#settle(call, "reject", reason);
    if (this.#inFlight.has(call.id)) {
      // It stays in flight until the engine has answered, as it takes its place there until then.
      this.#engine?.write(
        JSON.stringify({ jsonrpc: "2.0", method: "$/cancelRequest", params: { id: call.id } }),
      );
    } else {
      this.#queue = this.#queue.filter((other) => other !== call);
    }
    this.#pump();
  }

  /** Takes no more calls, has those it took answered (or rejects them, without `drain`), and ends the engine. */
  close({ drain = true } = {}) {
    if (!drain) {
      for (const call of [...this.#queue, ...this.#inFlight.values()]) {
        this.cancel(call, new EngineDied("the client was closed"));
      }
    }
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close() {
    if (this.#queue.some((call) => !call.settled) || [...this.#inFlight.values()].some((call) => !call.settled)) {
      await new Promise((resolve) => (this.#onIdle = resolve));
    }
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#pauseTimer);
    const engine = this.#engine;
    if (!engine) return;
    engine.hold(true);
    const ended = new Promise((resolve) => (this.#onEngineEnd = resolve));
    engine.finish();
    const timer = setTimeout(() => engine.kill(), this.#options.closeTimeoutMs);
    await ended;
    clearTimeout(timer);
  }

  #enqueue(call) {
    const before = (other) =>
      other.priority > call.priority || (other.priority === call.priority && other.id < call.id);
    let place = this.#queue.length;
    while (place > 0 && !before(this.#queue[place - 1])) place -= 1;
    this.#queue.splice(place, 0, call);
  }

  #settle(call, verb, value) {
    if (call.settled) return;
    call.settled = true;
    call[verb](value);
  }

  /** Sends what may be sent now. */
  #pump() {
    if (this.#queue.length > 0 && !this.#engine && !this.#restartTimer) this.#start();
    while (this.#ready && this.#queue.length > 0 && this.#engine.writable && !this.#pauseTimer) {
      if (!this.#fits(this.#queue[0])) break;
      this.#send(this.#queue.shift());
    }
    const waiting = this.#queue.length > 0 || [...this.#inFlight.values()].some((call) => !call.settled);
    this.#engine?.hold(waiting || this.#closing !== null);
    if (!waiting) this.#onIdle();
  }

  #fits(call) {
    if (this.#inFlight.size === 0) return true;
    // Who was there at two deaths is suspect, and goes alone: so only the call at fault reaches its limit.
    if (call.deaths >= 2 || [...this.#inFlight.values()].some((other) => other.deaths >= 2)) return false;
    const most = Math.min(this.#options.maxRequests, this.engineInfo?.limits?.max_concurrent_requests ?? Infinity);
    return this.#inFlight.size < most && this.#bytesInFlight + call.bytes <= this.#options.maxBytes;
  }

  #send(call) {
    const params = { ...call.params };
    if (call.deadlineAt !== undefined && call.method === "embed") {
      params.deadline_ms = Math.max(0, Math.ceil(call.deadlineAt - Date.now()));
    }
    // An engine without `initialize` is one without partial results; it gives all at once.
    if (call.onPartial && this.engineInfo) params.stream = true;
    const head = JSON.stringify({ jsonrpc: "2.0", id: call.id, method: call.method }).slice(0, -1);
    let rest = JSON.stringify(params);
    if (call.input !== undefined) rest = `{"input":${call.input}${rest === "{}" ? "" : ","}${rest.slice(1)}`;
    const line = `${head},"params":${rest}}`;

    const limit = this.engineInfo?.limits?.max_line_bytes ?? 67_108_864;
    if (line.length * 3 > limit && Buffer.byteLength(line) > limit) {
      const data = { limit: "max_line_bytes" };
      this.#settle(call, "reject", new RequestError("the request is longer than a line may be", Code.tooLarge, data));
      return;
    }
    this.#inFlight.set(call.id, call);
    this.#bytesInFlight += call.bytes;
    this.#askedAt = Date.now();
    this.#engine.write(line);
    this.#guard(this.#engine, this.#options.stallTimeoutMs);
  }

  #start() {
    this.#ready = false;
    const handlers = {
      onMessage: (message) => this.#receive(message),
      onDrain: () => this.#pump(),
      onEnd: (end) => this.#engineEnded(end),
    };
    try {
      this.#engine = new EngineProcess(this.#options, handlers);
    } catch (cause) {
      // Arguments that no process can be started with, for example a NUL in the command.
      queueMicrotask(() => this.#engineEnded({ cause, stderr: [] }));
      return;
    }
    this.#askedAt = Date.now();
    const clientInfo = { name: "minilm-client-node", version: "0.1.0" };
    const params = { protocolVersion: "1", clientInfo };
    this.#engine.write(JSON.stringify({ jsonrpc: "2.0", id: "initialize", method: "initialize", params }));
    this.#guard(this.#engine, this.#options.startTimeoutMs);
  }

  #receive(message) {
    if (message.method === "embed/partial") {
      const call = this.#inFlight.get(message.params?.id);
      if (call?.onPartial && !call.settled && Array.isArray(message.params.data)) call.onPartial(message.params.data);
      return;
    }
    if (message.method !== undefined) return;
    if (message.id === "initialize") {
      // An engine that does not know the method is ready too.
      this.engineInfo = message.result ?? null;
      this.#ready = true;
      this.#failedStarts = 0;
      clearTimeout(this.#watch);
      this.#watch = null;
      this.#pump();
      return;
    }
    if (message.id === null && message.error) {
      // A line was refused as a whole. It cannot be said which, so none waits for an answer that may not come.
      for (const call of this.#inFlight.values()) this.#settle(call, "reject", RequestError.from(message.error));
      this.#engine.kill();
      return;
    }
    const call = this.#inFlight.get(message.id);
    if (!call) return;
    this.#inFlight.delete(call.id);
    this.#bytesInFlight -= call.bytes;
    this.#deathsInRow = 0;
    this.#answer(call, message);
    this.#pump();
  }

  #answer(call, { result, error }) {
    if (!error) {
      this.#settle(call, "resolve", result);
    } else if (error.code === Code.overloaded && call.overloads < this.#options.maxOverloadRetries && !call.settled) {
      call.overloads += 1;
      this.#enqueue(call);
      const wait = Number(error.data?.retry_after_ms);
      this.#pause(Number.isFinite(wait) ? Math.min(Math.max(wait, 1), 60_000) : 100);
    } else {
      this.#settle(call, "reject", RequestError.from(error));
    }
  }

  /** Sends nothing for a while. */
  #pause(milliseconds) {
    clearTimeout(this.#pauseTimer);
    this.#pauseTimer = setTimeout(() => {
      this.#pauseTimer = null;
      this.#pump();
    }, milliseconds).unref();
  }

  #engineEnded({ exitCode, signal, stderr, cause }) {
    const how = cause ? `could not be started: ${cause.message}` : `ended (${signal ?? `exit code ${exitCode}`})`;
    const died = () => new EngineDied(`the engine ${how}`, { exitCode, signal, stderr, cause });
    const wasReady = this.#ready;
    this.#engine = null;
    this.#ready = false;
    clearTimeout(this.#watch);
    this.#watch = null;

    for (const call of this.#inFlight.values()) {
      if (call.settled) continue;
      call.deaths += 1;
      if (call.deaths > this.#options.maxRestarts) this.#settle(call, "reject", died());
      else this.#enqueue(call);
    }
    this.#inFlight.clear();
    this.#bytesInFlight = 0;
    this.#deathsInRow += 1;
    if (!wasReady) this.#failedStarts += 1;

    if (this.#failedStarts > this.#options.maxRestarts || cause) {
      for (const call of this.#queue) this.#settle(call, "reject", died());
      this.#queue = [];
      this.#failedStarts = 0;
    }
    if (this.#queue.length > 0) {
      this.#restartTimer = setTimeout(() => {
        this.#restartTimer = null;
        this.#pump();
      }, backoff(this.#deathsInRow));
    }
    this.#onEngineEnd();
    this.#pump();
  }

  /** Kills an engine that says nothing for `milliseconds` although something waits for it. */
  #guard(engine, milliseconds) {
    if (milliseconds <= 0 || this.#watch) return;
    const look = () => {
      this.#watch = null;
      if (this.#engine !== engine || (this.#ready && this.#inFlight.size === 0)) return;
      const left = Math.max(this.#askedAt, engine.heardAt) + milliseconds - Date.now();
      if (left <= 0) engine.kill();
      else this.#watch = setTimeout(look, left).unref();
    };
    this.#watch = setTimeout(look, milliseconds).unref();
  }
}
