import { spawn } from "node:child_process";

/** Engines that run now. They end with this process: see `endAll`. */
const running = new Set();

/**
 * `exit` runs no event loop, so an engine that computes is killed; one that is idle ends by itself when its stdin closes.
 * A host that is killed closes the pipes, which ends the engine too.
 */
function endAll() {
  for (const child of running) child.kill("SIGKILL");
}

/** One engine process: lines in, messages out, the last lines of its stderr kept. */
export class EngineProcess {
  /** Whether stdin takes more now; when it does again, `onDrain` is called. */
  writable = true;
  /** When something was last read from it, `Date.now()`. */
  heardAt = Date.now();

  #child;
  #line = [];
  #stderr = [];
  #stderrRest = "";
  #stderrLines;
  #ended = false;

  /**
   * @param {{command: string, args: string[], env?: NodeJS.ProcessEnv, cwd?: string, stderrLines: number}} options
   * @param {{onMessage: (message: any) => void, onDrain: () => void, onEnd: (end: object) => void}} handlers
   * `onEnd` is called once, after the last message.
   */
  constructor({ command, args, env, cwd, stderrLines }, handlers) {
    this.#stderrLines = stderrLines;
    if (running.size === 0) process.on("exit", endAll);
    const child = spawn(command, args, { env, cwd, stdio: ["pipe", "pipe", "pipe"], windowsHide: true });
    this.#child = child;
    running.add(child);

    const end = (values) => {
      if (this.#ended) return;
      this.#ended = true;
      running.delete(child);
      if (running.size === 0) process.off("exit", endAll);
      if (this.#stderrRest) this.#keep([this.#stderrRest]);
      handlers.onEnd({ ...values, stderr: this.#stderr });
    };
    child.on("error", (cause) => {
      if (child.pid === undefined) end({ cause });
    });
    child.on("close", (exitCode, signal) => end({ exitCode, signal }));

    child.stdin.on("error", () => this.kill());
    child.stdin.on("drain", () => {
      this.writable = true;
      handlers.onDrain();
    });
    child.stdout.on("data", (chunk) => this.#read(chunk, handlers.onMessage));
    child.stdout.on("error", () => this.kill());
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text) => this.#readStderr(text));
    child.stderr.on("error", () => {});
  }

  get pid() {
    return this.#child.pid;
  }

  /** @param {string} line without its newline */
  write(line) {
    if (!this.#child.stdin.writable) return;
    this.writable = this.#child.stdin.write(line + "\n");
  }

  /** Closes stdin: the engine answers what it has, and exits. */
  finish() {
    this.#child.stdin.end();
  }

  kill() {
    this.#child.kill("SIGKILL");
  }

  /** Lets this process end while the engine is idle, or not. @param {boolean} busy */
  hold(busy) {
    const verb = busy ? "ref" : "unref";
    for (const part of [this.#child, this.#child.stdin, this.#child.stdout, this.#child.stderr]) part?.[verb]?.();
  }

  #read(chunk, onMessage) {
    this.heardAt = Date.now();
    let start = 0;
    for (let end; (end = chunk.indexOf(10, start)) >= 0; start = end + 1) {
      this.#line.push(chunk.subarray(start, end));
      const line = this.#line.length === 1 ? this.#line[0] : Buffer.concat(this.#line);
      this.#line = [];
      let message;
      try {
        message = JSON.parse(line.toString("utf8"));
      } catch {
        this.#keep([`not JSON on stdout (${line.length} bytes)`]);
        this.kill();
        return;
      }
      if (message !== null && typeof message === "object") onMessage(message);
    }
    if (start < chunk.length) this.#line.push(chunk.subarray(start));
  }

  #readStderr(text) {
    const lines = (this.#stderrRest + text).split("\n");
    this.#stderrRest = lines.pop().slice(-2000);
    this.#keep(lines);
  }

  #keep(lines) {
    const kept = lines.slice(-this.#stderrLines).map((line) => line.slice(0, 2000));
    this.#stderr = this.#stderr.concat(kept).slice(-this.#stderrLines);
  }
}
