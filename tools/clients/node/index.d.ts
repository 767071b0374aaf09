export type Precision = "float32" | "int8" | "uint8" | "binary" | "ubinary";
export type Vector<P extends Precision = "float32"> = P extends "float32"
  ? Float32Array
  : P extends "int8" | "binary"
    ? Int8Array
    : Uint8Array;
export type Texts = Iterable<string> | AsyncIterable<string>;

export interface MinilmOptions {
  /** The program (default: $MINILM, else minilm on PATH), or an array: program and all its first arguments. */
  command?: string | string[];
  /** More arguments of `minilm serve`. */
  args?: string[];
  model?: string;
  threads?: number;
  /** Variables added to this process's environment. */
  env?: Record<string, string>;
  cwd?: string;
  /** Requests and bytes that the engine has at a time (8; 8 MiB). */
  maxRequests?: number;
  maxBytes?: number;
  /** A longer input is split into requests of so many texts and bytes (128; 1 MiB). */
  textsPerRequest?: number;
  bytesPerRequest?: number;
  /** Deaths of the engine that a request survives, and failed starts in a row (3). */
  maxRestarts?: number;
  maxOverloadRetries?: number;
  startTimeoutMs?: number;
  /** An engine that owes an answer and is silent for so long is replaced (300000; 0: never). */
  stallTimeoutMs?: number;
  closeTimeoutMs?: number;
  /** Lines of the engine's stderr that are kept for error messages (20). */
  stderrLines?: number;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Milliseconds from now. */
  timeout?: number;
  /** -100 to 100, higher first (0). */
  priority?: number;
}

export interface TokenizeOptions extends CallOptions {
  truncate?: boolean;
  truncationDirection?: "right" | "left";
  maxTokens?: number;
}

export interface EmbedOptions<P extends Precision = Precision> extends TokenizeOptions {
  dimensions?: number;
  normalize?: boolean;
  prompt?: string;
  precision?: P;
}

export interface Tokens {
  ids: number[];
  tokens: string[];
  /** UTF-8 bytes. */
  offsets: [number, number][];
  dropped: number;
}

export interface Count {
  tokens: number;
  dropped: number;
}

export type Item<P extends Precision = "float32"> =
  | { index: number; vector: Vector<P>; tokens: number; truncated: boolean; scale?: number; zeroPoint?: number; error?: undefined }
  | { index: number; error: RequestError; vector?: undefined };

export class Minilm {
  constructor(options?: MinilmOptions);
  readonly pid: number | undefined;
  embed<P extends Precision = "float32">(text: string, options?: EmbedOptions<P>): Promise<Vector<P>>;
  embed<P extends Precision = "float32">(texts: Texts, options?: EmbedOptions<P>): Promise<Vector<P>[]>;
  stream<P extends Precision = "float32">(texts: Texts, options?: EmbedOptions<P>): AsyncGenerator<Item<P>>;
  tokenize(text: string, options?: TokenizeOptions): Promise<Tokens>;
  tokenize(texts: Texts, options?: TokenizeOptions): Promise<Tokens[]>;
  count(text: string, options?: CallOptions & { maxTokens?: number }): Promise<Count>;
  count(texts: Texts, options?: CallOptions & { maxTokens?: number }): Promise<Count[]>;
  plan(request: string | string[] | number[], options?: CallOptions & { maxTokens?: number }): Promise<Record<string, any>>;
  info(options?: CallOptions): Promise<Record<string, any>>;
  stats(options?: CallOptions): Promise<Record<string, any>>;
  close(options?: { drain?: boolean }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export class RequestError extends Error {
  code: number;
  data?: Record<string, unknown>;
}
export class EngineDied extends Error {
  exitCode: number | null;
  signal: string | null;
  stderr: string[];
}
export class TextErrors extends Error {
  errors: { index: number; error: RequestError }[];
  results: unknown[];
}
