#!/usr/bin/env python3
"""Cancels requests of `minilm serve` at random moments and checks that each is answered exactly once, and the others rightly.

    tools/stress/cancellations.py [--count 10000] [--seed 1] [--program .build/release/minilm]

Requests of 1 to some thousand texts, plain, streamed and in batch arrays, some with an id that another one in work has too, are
cancelled before they are sent, in the line after them, some milliseconds later, when they are over, twice, or not at all. What is
cancelled gets its result or -32800, what is not gets its result, streamed parts are whole and come before the answer. At the end
`stats` has to show that nothing is in work and no memory is held, and a valid request has to give the vector that it gave at the start.
"""
import heapq, itertools, json, os, random, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *

TEXTS = ["hello world", "a cat", "the quick brown fox", "x y z", "jumped over the lazy dog", "text text text", "", "fox 123!"]
SIZES = [1, 1, 1, 2, 8, 8, 64, 64, 300, 2000]


class Request:
    def __init__(self, id, texts, streamed):
        self.id, self.texts, self.streamed = id, texts, streamed
        self.answers, self.data, self.cancelled = 0, {}, False


def main():
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="requests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--in-flight", type=int, default=60, help="the most requests in work at a time")
    options = prepare(parser.parse_args())
    rng = random.Random(options.seed)
    lock, problems = threading.Lock(), []
    waiting = {}  # id -> requests in work that have it
    got = {}  # id -> their answers so far
    figures = {"results": 0, "cancelled": 0, "parts": 0, "answers": 0}
    calls, arrived = {}, threading.Event()
    known = {}

    def check(request, data, whole):
        for item in data:
            if item.get("index") in request.data or not 0 <= item.get("index", -1) < len(request.texts):
                problems.append(f"{request.id}: index {item.get('index')} twice or out of range")
                continue
            embedding = item.get("embedding")
            request.data[item["index"]] = True
            text = request.texts[item["index"]]
            if embedding is None or (embedding != known.get(text) and not same(embedding, known[text])):
                problems.append(f"{request.id}: wrong vector of {text!r}: {str(item)[:200]}")
        if whole and len(request.data) != len(request.texts):
            problems.append(f"{request.id}: {len(request.data)} of {len(request.texts)} texts answered")

    def matches(request, data):
        return all("embedding" in item and same(item["embedding"], known[request.texts[item["index"]]]) for item in data)

    def take(answer):
        """One answer. Those of an id that several requests have are looked at when all are there."""
        figures["answers"] += 1
        id = answer.get("id")
        if id not in waiting:
            return problems.append(f"an answer that nobody waits for: {str(answer)[:300]}")
        got.setdefault(id, []).append(answer)
        if len(got[id]) < len(waiting[id]):
            return
        requests, answers = waiting.pop(id), got.pop(id)
        for answer in answers:
            if "result" not in answer:
                continue
            figures["results"] += 1
            data = answer["result"].get("data", ())
            fitting = [r for r in requests if r.streamed == ("data" not in answer["result"]) and (r.streamed or len(r.texts) == len(data))]
            if len(fitting) > 1:
                fitting = [r for r in fitting if matches(r, data)]
            if not fitting:
                problems.append(f"{id}: a result that fits no request: {str(answer)[:200]}")
                continue
            # Of two with equal texts, the result is that of the one that was not cancelled.
            request = min(fitting, key=lambda r: r.cancelled)
            requests.remove(request)
            check(request, data, whole=True)
        for answer in answers:
            if "result" in answer:
                continue
            if answer.get("error", {}).get("code") != -32800:
                problems.append(f"an error that is no cancellation: {str(answer)[:300]}")
            figures["cancelled"] += 1
        if any(not r.cancelled for r in requests):
            problems.append(f"{id} was not cancelled but answered so")

    def on_line(line, when):
        try:
            value = json.loads(line)
        except ValueError:
            return problems.append(f"not JSON: {line[:200]!r}")
        with lock:
            if isinstance(value, dict) and str(value.get("id", "")).startswith("call "):
                calls[value["id"]] = value
                return arrived.set()
            if isinstance(value, dict) and value.get("method") == "embed/partial":
                figures["parts"] += 1
                candidates = [r for r in waiting.get(value["params"]["id"], []) if r.streamed]
                if not candidates:
                    return problems.append(f"a part that nobody waits for: {str(value)[:200]}")
                return check(candidates[0], value["params"]["data"], whole=False)
            for answer in value if isinstance(value, list) else [value]:
                take(answer)

    engine = Engine(command(options), on_line)

    def call(method, **params):
        name = f"call {rng.random()}"
        arrived.clear()
        engine.send(request(name, method, **params))
        end = time.monotonic() + 60
        while name not in calls and time.monotonic() < end and not engine.ended.is_set():
            arrived.wait(0.1)
        return calls.pop(name, {"error": "not answered"})

    def vector_of(text):
        return call("embed", input=text, encoding_format="base64")["result"]["data"][0]["embedding"]

    for text in TEXTS:
        known[text] = vector_of(text)
    ties = itertools.count()
    cancels, rss, sent, number, start, shown = [], Memory(engine.pid), 0, 0, time.monotonic(), 0
    counts = {"reused": 0, "streamed": 0, "arrays": 0, "cancels": 0}

    def cancel_line(id):
        counts["cancels"] += 1
        with lock:
            for r in waiting.get(id, []):
                r.cancelled = True
        return json.dumps({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": id}}).encode() + b"\n"

    def embed(r):
        params = {"input": r.texts, "encoding_format": "base64", "priority": rng.randrange(-100, 101)}
        if r.streamed:
            params["stream"] = True
        return {"jsonrpc": "2.0", "id": r.id, "method": "embed", "params": params}

    def new():
        nonlocal number
        number += 1
        id = number if rng.random() < 0.5 else f"request {number}"
        streamed = rng.random() < 0.25
        with lock:
            # An id that is in work; not of a streamed request, whose parts could not be told apart.
            others = [i for i, rs in waiting.items() if not any(r.streamed for r in rs)] if rng.random() < 0.1 and not streamed else []
        if others:
            id = rng.choice(others)
            counts["reused"] += 1
        counts["streamed"] += streamed
        return Request(id, [rng.choice(TEXTS) for _ in range(rng.choice(SIZES))], streamed)

    def register(r):
        with lock:
            # The engine cancels all requests of an id, whenever one of them was cancelled before it ended.
            waiting.setdefault(r.id, []).append(r)

    try:
        while sent < options.count:
            now = time.monotonic()
            while cancels and cancels[0][0] <= now:
                engine.send(cancel_line(heapq.heappop(cancels)[2]))
            with lock:
                in_flight = sum(map(len, waiting.values()))
            if in_flight >= options.in_flight:
                time.sleep(0.001)
                if problems and len(problems) > 50:
                    break
                if now - start > 60 + options.count / 10:
                    problems.append("the queue does not move")
                    break
                continue
            if rng.random() < 0.1:  # a batch array
                requests = []
                items, data = [], b""
                for _ in range(rng.randrange(1, 8)):
                    r = new()
                    register(r)
                    items.append(embed(r))
                    requests.append(r)
                    if rng.random() < 0.3:
                        items.append(json.loads(cancel_line(rng.choice(requests).id)))
                data = json.dumps(items).encode() + b"\n"
                counts["arrays"] += 1
            else:
                r = new()
                requests = [r]
                data = b""
                if rng.random() < 0.05:  # before it is there: without effect, unless the id is in work
                    data += cancel_line(r.id)
                register(r)
                data += json.dumps(embed(r)).encode() + b"\n"
                if rng.random() < 0.2:
                    data += cancel_line(r.id)
            for r in requests:
                if rng.random() < 0.4:
                    for _ in range(rng.choice([1, 1, 2])):
                        heapq.heappush(cancels, (now + rng.choice([0, 0.001, 0.01, 0.05, 0.3]) * rng.random() * 2, next(ties), r.id))
            engine.send(data)
            sent += len(requests)
            if sent // 100 > shown:
                shown = sent // 100
                rss.sample()
                if shown % 10 == 0:
                    progress(f"{sent} requests, {figures}, {mb(engine.rss())}, {len(problems)} problems")
        while cancels:
            engine.send(cancel_line(heapq.heappop(cancels)[2]))
        end = time.monotonic() + 120
        while waiting and time.monotonic() < end and not engine.ended.is_set():
            time.sleep(0.01)
        unanswered = sum(map(len, waiting.values()))
        if unanswered:
            problems.append(f"{unanswered} requests were not answered, such as {list(waiting)[:3]}")
        held, end = {"": 1}, time.monotonic() + 60
        # A worker may still compute what was cancelled.
        while any(held.values()) and time.monotonic() < end:
            stats = call("stats").get("result", {})
            held = {"jobs": stats["queue"]["jobs"], "texts": stats["queue"]["texts"], "tokens": stats["queue"]["tokens"],
                    "busy_workers": stats["queue"]["busy_workers"], "active": stats["requests"]["active"],
                    "request_bytes": stats["memory"]["request_bytes"], "output_bytes": stats["memory"]["output_bytes"]}
        if any(held.values()):
            problems.append(f"not empty at the end: {held}")
        if not same(vector_of(TEXTS[0]), known[TEXTS[0]]):
            problems.append("the vector changed")
    except (OSError, KeyError) as error:
        unanswered, held = sum(map(len, waiting.values())), "unknown"
        problems.append(f"the engine is gone: {error!r}")
    status = engine.close()
    if status != 0 or engine.errors():
        problems.append(f"exit status {status}, stderr {engine.errors()[:300]}")
    first, last = rss.tenth(), rss.tenth(last=True)
    if sent >= 2000 and last > 1.15 * first + (1 << 23):
        problems.append(f"memory grew from {mb(first)} to {mb(last)}")
    for problem in problems[:20]:
        progress("PROBLEM: " + problem)
    print(f"cancellations: {sent} requests ({counts['streamed']} streamed, {counts['reused']} with an id in work, {counts['arrays']} arrays), "
          f"{counts['cancels']} cancellations, {figures['results']} results, {figures['cancelled']} answered -32800, {unanswered} unanswered, "
          f"{figures['parts']} parts, held at the end {held}, {len(problems)} problems, RSS first tenth {mb(first)}, last tenth {mb(last)}, "
          f"{time.monotonic() - start:.0f} s")
    sys.exit(1 if problems else 0)


main()
