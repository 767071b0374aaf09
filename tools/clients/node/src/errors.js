/** An error that the engine answered with, or that the client found in its place. */
export class RequestError extends Error {
  /**
   * @param {string} message
   * @param {number} code JSON-RPC error code, for example -32005 when the deadline passed
   * @param {Record<string, unknown>} [data]
   */
  constructor(message, code, data) {
    super(message);
    this.name = "RequestError";
    this.code = code;
    this.data = data;
  }

  /** @param {{code: number, message: string, data?: Record<string, unknown>}} error */
  static from(error) {
    return new RequestError(error.message, error.code, error.data);
  }
}

/** The engine could not be started, or died more often than `maxRestarts` allows. */
export class EngineDied extends Error {
  /**
   * @param {string} message
   * @param {{exitCode?: number | null, signal?: string | null, stderr?: string[], cause?: unknown}} end
   */
  constructor(message, { exitCode = null, signal = null, stderr = [], cause } = {}) {
    const said = stderr.length > 0 ? `; its last words: ${stderr.slice(-5).join(" | ")}` : "";
    super(message + said, cause === undefined ? undefined : { cause });
    this.name = "EngineDied";
    this.exitCode = exitCode;
    this.signal = signal;
    this.stderr = stderr;
  }
}

/** Some texts of an array failed; the others have their results in `results`. */
export class TextErrors extends Error {
  /**
   * @param {{index: number, error: RequestError}[]} errors
   * @param {unknown[]} results results in the order of the texts, null where a text failed
   */
  constructor(errors, results) {
    const first = errors[0];
    super(`${errors.length} of ${results.length} texts failed; text ${first.index}: ${first.error.message}`);
    this.name = "TextErrors";
    this.errors = errors;
    this.results = results;
  }
}

/** JSON-RPC error codes that the client acts on. */
export const Code = Object.freeze({
  invalidParams: -32602,
  internal: -32603,
  overloaded: -32001,
  tooLarge: -32002,
  textTooLong: -32003,
  memory: -32004,
  deadline: -32005,
});
