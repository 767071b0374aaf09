#!/usr/bin/env python3
"""Measures how long a short query takes while `minilm serve` works through a request of 100,000 texts.

    tools/stress/latency-under-load.py [--texts 100000] [--seconds 60] [--every 0.3] [--program .build/release/minilm]

The long request is streamed; its texts are short and long ones mixed. It runs alone for a while, then beside one query of some ten words
every 300 ms, then alone again. No query may take three times as long as one full batch: a batch in the works cannot be stopped.
"""
import json, os, random, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *


def main():
    parser = arguments(__doc__, real_model=True)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60, help="how long queries are sent")
    parser.add_argument("--alone", type=float, default=20, help="seconds without queries before and after")
    parser.add_argument("--every", type=float, default=0.3, help="seconds between two queries")
    parser.add_argument("--priority", type=int, default=0, help="priority of the queries")
    parser.add_argument("--seed", type=int, default=1)
    options = prepare(parser.parse_args(), real_model=True)
    rng, lock, done, answers, problems = random.Random(options.seed), threading.Lock(), [0], {}, []

    def on_line(line, when):
        if line.startswith(b'{"jsonrpc":"2.0","method":"embed/partial"'):
            done[0] += line.count(b'"index":')
        else:
            answer = json.loads(line)
            with lock:
                answers[answer["id"]] = (when, answer)

    engine = Engine(command(options), on_line)

    def call(name, method, seconds=60, **params):
        start = time.monotonic()
        engine.send(request(name, method, **params))
        while name not in answers:
            if time.monotonic() - start > seconds or engine.ended.is_set():
                raise EOFError(f"{name} was not answered; stderr {engine.errors()[:200]}")
            time.sleep(0.0005)
        when, answer = answers.pop(name)
        if "error" in answer and name != "cancel":
            raise EOFError(str(answer)[:300])
        return when - start, answer["result"]

    def totals(name):
        engine_ = call(name, "stats")[1]["engine"]
        return engine_["compute_seconds"], engine_["batches"], done[0], time.monotonic()

    query = lambda n: f"how do I find the best restaurant near number {n} today"
    call("warm up", "embed", input=query(0))
    quiet = [call(f"quiet {n}", "embed", input=query(n), encoding_format="base64")[0] for n in range(20)]
    texts = [text_of_tokens(rng, rng.choice([rng.randrange(8, 30), rng.randrange(8, 30), rng.randrange(30, 256)])) for _ in range(options.texts)]
    engine.send(request("long", "embed", input=texts, stream=True, encoding_format="base64"))
    rates, waits = [], []
    try:
        start = time.monotonic()
        while not done[0] and time.monotonic() - start < 60:
            time.sleep(0.01)
        progress(f"the first part came after {time.monotonic() - start:.2f} s")

        def phase(name, seconds, queries):
            before, begin, n = totals(name + " before"), time.monotonic(), 0
            while time.monotonic() - begin < seconds:
                if queries:
                    time.sleep(max(0, begin + n * options.every - time.monotonic()))
                    waits.append(call(f"{name} {n}", "embed", input=query(n), encoding_format="base64", priority=options.priority)[0])
                    n += 1
                else:
                    time.sleep(0.1)
            after = totals(name + " after")
            rate = (after[2] - before[2]) / (after[3] - before[3])
            batch = (after[0] - before[0]) / max(1, after[1] - before[1])
            progress(f"{name}: {rate:.1f} texts/s, {1000 * batch:.1f} ms a batch" + (f", {n} queries" if n else ""))
            return rate, batch
        before = phase("alone", options.alone, False)
        loaded = phase("with queries", options.seconds, True)
        after = phase("alone again", options.alone, False)
        if "long" in answers:
            problems.append(f"the long request ended early: {str(answers['long'][1])[:200]}")
        engine.send(json.dumps({"method": "$/cancelRequest", "params": {"id": "long"}}).encode() + b"\n")
        begin = time.monotonic()
        while "long" not in answers and time.monotonic() - begin < 10:
            time.sleep(0.001)
        cancelled = time.monotonic() - begin
        if answers.get("long", (0, {}))[1].get("error", {}).get("code") != -32800:
            problems.append("the long request was not answered with -32800")
    except EOFError as error:
        problems.append(str(error))
        before = loaded = after = (float("nan"), float("nan"))
        cancelled = float("nan")
    status = engine.close()
    if status != 0 or engine.errors():
        problems.append(f"exit status {status}, stderr {engine.errors()[:200]}")
    batch = (before[1] + after[1]) / 2
    ratio = max(waits or [0]) / batch
    if not ratio < 3:
        problems.append(f"the slowest query took {ratio:.1f} batches' time")
    for problem in problems:
        progress("PROBLEM: " + problem)
    alone = (before[0] + after[0]) / 2
    print(f"latency-under-load: {len(waits)} queries, p50 {1000 * quantile(waits, 0.5):.1f} ms, p95 {1000 * quantile(waits, 0.95):.1f} ms, "
          f"max {1000 * max(waits or [0]):.1f} ms (idle engine p50 {1000 * quantile(quiet, 0.5):.1f} ms); a full batch {1000 * batch:.1f} ms, "
          f"p95 {quantile(waits, 0.95) / batch:.2f} and max {ratio:.2f} batches' time; the long request {alone:.1f} texts/s alone, {loaded[0]:.1f} with queries "
          f"({100 * loaded[0] / alone - 100:+.1f} %); cancelled in {1000 * cancelled:.0f} ms; {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
