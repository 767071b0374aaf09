import { Code, RequestError } from "./errors.js";

/**
 * A text on its way: as JSON, or the error that keeps it from being sent.
 * @typedef {{json?: string, error?: RequestError}} Entry
 */

const loneSurrogate = /\p{Surrogate}/u;

/** @param {unknown} text @returns {Entry} */
export function entry(text) {
  if (typeof text !== "string") throw new TypeError(`a text is ${text === null ? "null" : `of type ${typeof text}`}`);
  if (loneSurrogate.test(text)) {
    return { error: new RequestError("the text holds a lone surrogate, which UTF-8 cannot carry", Code.invalidParams) };
  }
  return { json: JSON.stringify(text) };
}

/**
 * Cuts texts into the parts that are sent as one request each.
 *
 * What has come so far goes out when the source is slower than `flushMs`.
 * @param {Iterable<string> | AsyncIterable<string>} texts
 * @param {{maxTexts: number, maxBytes: number, flushMs?: number}} limits
 * @returns {AsyncGenerator<Entry[]>}
 */
export async function* chunks(texts, { maxTexts, maxBytes, flushMs = 10 }) {
  let part = [];
  let bytes = 0;
  const take = (text) => {
    const next = entry(text);
    const size = next.json?.length ?? 0;
    const full = part.length > 0 && (part.length >= maxTexts || bytes + size > maxBytes) ? part : null;
    if (full) {
      part = [];
      bytes = 0;
    }
    part.push(next);
    bytes += size;
    return full;
  };

  if (!texts[Symbol.asyncIterator]) {
    for (const text of texts) {
      const full = take(text);
      if (full) yield full;
    }
    if (part.length > 0) yield part;
    return;
  }

  const source = texts[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = source.next();
      if (part.length > 0 && !(await within(next, flushMs))) {
        yield part;
        part = [];
        bytes = 0;
      }
      const { done, value } = await next;
      if (done) break;
      const full = take(value);
      if (full) yield full;
    }
    if (part.length > 0) yield part;
  } finally {
    // Not awaited: a source that waits for more would hold up who has stopped reading.
    source.return?.()?.catch?.(() => {});
  }
}

/** Whether the promise settles in time. */
async function within(promise, milliseconds) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, milliseconds, false)));
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}
