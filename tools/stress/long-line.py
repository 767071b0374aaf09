#!/usr/bin/env python3
"""Sends lines of a gigabyte to `minilm serve`: answered -32002 in bounded memory, and the next line is served.

    tools/stress/long-line.py [--bytes 1000000000] [--program .build/release/minilm]

One line is random bytes without a newline, one an `embed` request that is valid but for its length, one the opening brackets of arrays.
"""
import os, random, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *

BLOCK = 1 << 20


def pieces(kind, count, rng):
    head, tail = b"", b""
    if kind == "garbage":
        blocks = [rng.randbytes(BLOCK).replace(b"\n", b"\r") for _ in range(4)]
    elif kind == "JSON":
        head, tail = b'{"jsonrpc":"2.0","id":1,"method":"embed","params":{"input":"', b'"}}'
        blocks = [b"hello world, a cat " * (BLOCK // 19)]
    else:
        blocks = [b"[" * BLOCK]
    yield head
    left, n = count - len(head) - len(tail), 0
    while left > 0:
        block = blocks[n % len(blocks)][:left]
        yield block
        left -= len(block)
        n += 1
    yield tail


def main():
    parser = arguments(__doc__)
    parser.add_argument("--bytes", type=int, default=1_000_000_000)
    parser.add_argument("--max-rss", type=int, default=400_000_000, help="the most memory that counts as bounded")
    options = prepare(parser.parse_args())
    problems, figures, rng = [], [], random.Random(1)
    engine = Engine(command(options))
    known = engine.call("embed", input="hello world", encoding_format="base64")["result"]["data"][0]["embedding"]
    base = engine.rss()
    for kind in ("garbage", "JSON", "brackets"):
        rss, start = Memory(engine.pid).every(0.02), time.monotonic()
        try:
            sent = 0
            for piece in pieces(kind, options.bytes, rng):
                engine.send(piece)
                sent += len(piece)
            engine.send(b"\n")
            answer = engine.next(60)
            after = engine.call("embed", input="hello world", encoding_format="base64")
        except (OSError, EOFError, queue.Empty) as error:
            problems.append(f"{kind}: {error!r}")
            break
        seconds, peak = time.monotonic() - start, max(rss.values + [memory(engine.pid, "VmHWM")])
        error = (answer or {}).get("error", {})
        if error.get("code") != -32002 or answer.get("id") is not None or error.get("data", {}).get("actual") != sent:
            problems.append(f"{kind}: answered {str(answer)[:300]}")
        if "result" not in after or not same(after["result"]["data"][0]["embedding"], known):
            problems.append(f"{kind}: the next line was answered {str(after)[:300]}")
        if peak > options.max_rss:
            problems.append(f"{kind}: peak RSS {mb(peak)}")
        figures.append(f"{kind} {sent} bytes in {seconds:.1f} s, peak RSS {mb(peak)}, afterwards {mb(engine.rss())}")
        progress(figures[-1])
    status = engine.close()
    if status != 0 or engine.errors():
        problems.append(f"exit status {status}, stderr {engine.errors()[:200]}")
    for problem in problems:
        progress("PROBLEM: " + problem)
    print(f"long-line: {len(problems)} problems, RSS before {mb(base)}; {'; '.join(figures)}")
    sys.exit(1 if problems else 0)


main()
