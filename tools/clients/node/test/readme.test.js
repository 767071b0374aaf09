// Runs the examples of README.md.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { engine } from "./support.js";

const folder = fileURLToPath(new URL("..", import.meta.url));
const examples = [...readFileSync(`${folder}/README.md`, "utf8").matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
const outputs = [/^0\.\d+\n0 384\n1 384\n2 384\n$/, /^1 384\n$/];

examples.forEach((code, i) => {
  test(`example ${i + 1} of the README`, () => {
    const env = { ...process.env, MINILM: engine };
    const node = ["--input-type=module", "-e", code];
    const { status, stdout, stderr } = spawnSync(process.execPath, node, { cwd: folder, env, encoding: "utf8", timeout: 120_000 });
    assert.equal(status, 0, stderr);
    assert.match(stdout, outputs[i]);
  });
});
