#!/usr/bin/env python3
"""Sends mutated JSON lines to `minilm serve` and checks that each is answered exactly once, with the right id.

    tools/stress/mutated-lines.py [--lines 1000000] [--seed 1] [--program .build/release/minilm]

The lines are valid requests of every method but shutdown, in which bytes were flipped, deleted, inserted or doubled, parameters
replaced by values of other types, keys repeated, numbers made huge, arrays nested deeply. Python's own parser says which lines are
JSON, and so how each has to be answered: not at all (blank lines, notifications), once with -32700 or -32600, or once with its id.
After every 1,000 lines a valid request has to give the vector that it gave at the start, within 1e-5: what else is in a batch moves the
last bits.
"""
import copy, json, os, random, sys, threading, time
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *

sys.setrecursionlimit(5000)
PROBE = "The quick brown fox jumped over the lazy dog."
CODES = {-32700, -32600, -32601, -32602, -32001, -32002, -32003, -32004, -32005, -32800}
TEXTS = ["hello world", "", "a cat", "naïve café 東京 🙂", "tab\tnewline\n", "x" * 300, "\u0000", "quick brown " * 20]
JUNK = [None, True, False, 0, -1, 1, 2, 3.5, 1e308, -1e-308, 2**31, 2**63, 2**64, 10**30, "", "a", "float", [], {}, [[]], [None], {"a": 1},
        [1, "a"], ["a", None, {}], "\ud800", "\u0000", "☃"]
RAW = [b"1.8e308", b"2e308", b"11e308", b"-12345e305", b"1e400", b"-1e999", b"1E+308", b"9" * 400, b"0." + b"1" * 400, b"-0", b"-", b"01", b".5", b"1.", b"NaN", b"Infinity", b"+1", b"0x10", b"tru",
       b"nul", b"\"\\ud800\"", b"\"\\udc00\\ud800\"", b"\"\\x\"", b"\"\\u12\"", b"\xff", b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\"", b"\"\xf4\x90\x80\x80\"",
       b"\"\xe2\x82\"", b"\x00", b"\"\x00\"", b"\"\x1f\"", b"\xef\xbb\xbf", b"\"a", b"'a'", b"/*c*/1", b"//", b",", b"[1,]", b"{\"a\":1,}", b"{a:1}",
       b"[" * 600 + b"]" * 600, b"[" * 3000, b"{\"a\":" * 600 + b"1" + b"}" * 600, b"]", b"}", b"[1 2]", b"{\"a\" 1}", b"\"\\ud83d\\ude00\""]


def corpus(rng):
    """A valid call of a random method, without jsonrpc and id."""
    texts = lambda: rng.choice(TEXTS) if rng.random() < 0.5 else [rng.choice(TEXTS) for _ in range(rng.randrange(4))]
    method = rng.choice(["embed"] * 5 + ["tokenize", "count", "plan", "plan", "info", "stats", "initialize", "$/cancelRequest", "unknown"])
    params = {}
    if method in ("embed", "plan"):
        params["input" if rng.random() < 0.8 else "inputs"] = texts()
        for name, values in (("encoding_format", ["float", "base64"]), ("dimensions", [1, 7, 24]), ("normalize", [True, False]),
                             ("truncate", [True, False]), ("truncation_direction", ["left", "right"]), ("max_tokens", [2, 5, 48]),
                             ("prompt", ["query: ", ""]), ("precision", ["float32", "int8", "uint8", "binary", "ubinary"]),
                             ("stream", [True, False]), ("progress", [True, False]), ("priority", [-100, 0, 100]), ("deadline_ms", [0, 1, 100000])):
            if rng.random() < 0.2:
                params[name] = rng.choice(values)
        if method == "plan" and rng.random() < 0.5:
            params.pop("input", None), params.pop("inputs", None)
            params["lengths"] = [rng.choice([2, 5, 30, 10**6]) for _ in range(rng.randrange(5))]
    elif method in ("tokenize", "count"):
        params["input"] = texts()
        if rng.random() < 0.3:
            params["max_tokens"] = rng.choice([2, 5, 48])
        if method == "tokenize" and rng.random() < 0.3:
            params["truncate"] = rng.random() < 0.5
    elif method == "initialize":
        params = {"protocolVersion": "1", "clientInfo": {"name": "stress", "version": "1"}}
    elif method == "$/cancelRequest":
        params = {"id": rng.choice([1, "a", 77])}
    call = {"method": method, "params": params}
    if not params and rng.random() < 0.5:
        del call["params"]
    return call


class Mutator:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.number = 0

    def id(self):
        self.number += 1
        kind = self.rng.random()
        if kind < 0.5:
            return self.number
        if kind < 0.8:
            return f"id {self.number}"
        return self.rng.choice([self.number + 0.5, -self.number, f"☃\n\"\\{self.number}", 2**63 + self.number, None, "", "dup"])

    def call(self):
        call = corpus(self.rng)
        if self.rng.random() < 0.9:
            call["jsonrpc"] = "2.0"
        if self.rng.random() < 0.93:
            call["id"] = self.id()
        if self.rng.random() < 0.5:
            call = dict(sorted(call.items(), key=lambda _: self.rng.random()))
        return call

    def line(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.08:
            value = [self.call() if rng.random() < 0.9 else copy.deepcopy(rng.choice(JUNK)) for _ in range(rng.choice([0, 1, 1, 2, 3, 5, 20]))]
            if rng.random() < 0.002:
                value = [{"method": "x", "id": n} for n in range(1001)]
        else:
            value = self.call()
        calls = value if isinstance(value, list) else [value]
        if rng.random() < 0.35 and calls and isinstance(calls[0], dict):  # a value of another type
            call = rng.choice([c for c in calls if isinstance(c, dict)])
            if isinstance(call.get("params"), dict) and call["params"] and rng.random() < 0.8:
                call["params"][rng.choice(list(call["params"]))] = copy.deepcopy(rng.choice(JUNK))
            else:
                call[rng.choice(list(call) or ["id"])] = copy.deepcopy(rng.choice(JUNK))
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5, separators=rng.choice([(",", ":"), (", ", ": ")]))
        data = bytearray(text.encode("utf-8", "surrogatepass"))
        for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 5])):
            self.mutate(data)
        if rng.random() < 0.02:
            data += b"\r"
        if rng.random() < 0.01:
            data[:] = rng.choice([b"", b" ", b"\t \r", b"\x00", b"null", b"1", b"\"a\"", b"[]", b"{}", b"[[]]", b"\xef\xbb\xbf{}", b"\x0b", b"\xc2\xa0", bytes(range(256)).replace(b"\n", b"")])
        return bytes(data)

    def mutate(self, data):
        rng = self.rng
        if not data:
            return
        at = rng.randrange(len(data))
        kind = rng.randrange(10)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:at + rng.choice([1, 1, 2, 8, 40])]
        elif kind == 2:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice([1, 1, 4])))
        elif kind == 3:
            del data[at:]
        elif kind == 4:  # a piece doubled; often a repeated key
            end = at + rng.randrange(1, 60)
            data[at:at] = data[at:end]
        elif kind == 5:
            data[at:at] = rng.choice(RAW)
        elif kind == 6:  # a number or word replaced
            end = at
            while end < len(data) and chr(data[end]).isalnum():
                end += 1
            data[at:end] = rng.choice(RAW)
        elif kind == 7:
            data[at] = rng.choice(b"\"\\{}[]:,0-e \x00\x7f\xff")
        elif kind == 8:  # repeated keys
            place = data.find(b"{")
            if place >= 0:
                data[place + 1:place + 1] = rng.choice([b"\"id\":5,", b"\"method\":\"info\",", b"\"params\":{},", b"\"jsonrpc\":\"2.0\",", b"\"x\":1,\"x\":2,"])
        else:  # a value wrapped deeply
            depth = rng.choice([1, 2, 100, 505, 600, 5000])
            data[at:at] = b"[" * depth
            if rng.random() < 0.5:
                data += b"]" * depth


class NotParsed(Exception):
    pass


def strict(line):
    """The value of a line, with Python's parser told to refuse what the protocol says is refused with -32700 or -32600."""
    def pairs(items):
        if len({key for key, _ in items}) < len(items):
            raise NotParsed
        for key, value in items:
            check(key), check(value)
        return dict(items)

    def check(value):
        if isinstance(value, str):
            value.encode()  # lone surrogates
        elif isinstance(value, list):
            for element in value:
                if isinstance(element, (str, list)):
                    check(element)

    def number(text):
        # The protocol's parser takes no number with so many digits before the exponent, whatever the exponent.
        if len(text.lower().lstrip("-").split("e")[0].split(".")[0]) > 308:
            raise NotParsed
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise NotParsed
        return value

    def integer(text):
        number(text)
        return int(text) if len(text) < 30 else float(text)

    def constant(text):
        raise NotParsed

    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=pairs, parse_float=number, parse_int=integer, parse_constant=constant)
        check(value)
        if depth(value) > 512:
            raise NotParsed
        return value
    except (ValueError, RecursionError) as error:
        raise NotParsed from error


def depth(value):
    deepest, stack = 0, [(value, 1)]
    while stack:
        value, level = stack.pop()
        if isinstance(value, (list, dict)):
            deepest = max(deepest, level)
            stack += [(child, level + 1) for child in (value if isinstance(value, list) else value.values()) if isinstance(child, (list, dict))]
    return deepest


def key(id):
    if isinstance(id, bool) or isinstance(id, (list, dict)):
        return None
    return ("number", float(id) + 0.0) if isinstance(id, (int, float)) else id


def expected_of(value):
    """The id key of the answer to one call, or () for none."""
    if not isinstance(value, dict):
        return None
    is_valid = (value.get("jsonrpc", "2.0") == "2.0" and isinstance(value.get("method"), str))
    if "id" not in value:
        return () if is_valid else None
    return key(value["id"])


def expected(line):
    """What the answer has to be: () for none, "bad" for an error without an id, a tuple of keys for an array, else the id's key."""
    if not line.strip(b" \t\r"):
        return ()
    try:
        value = strict(line)
    except NotParsed:
        return "bad"
    if isinstance(value, list):
        if not 0 < len(value) <= 1000:
            return ("one", None)
        ids = tuple(k for k in map(expected_of, value) if k != ())
        return ("many", ids) if ids else ()
    wanted = expected_of(value)
    return () if wanted == () else ("one", wanted)


def seen(answer, problems):
    """The same of an answer."""
    def one(a):
        if not isinstance(a, dict) or a.get("jsonrpc") != "2.0" or "id" not in a or ("result" in a) == ("error" in a):
            problems.append(f"no answer: {str(a)[:300]}")
            return None
        if "error" in a and a["error"].get("code") not in CODES:
            problems.append(f"strange error: {str(a)[:300]}")
        return key(a["id"])
    if isinstance(answer, list):
        return ("many", tuple(map(one, answer)))
    wanted = one(answer)
    if isinstance(answer, dict) and answer.get("error", {}).get("code") == -32700:
        return "bad"
    if wanted is None and isinstance(answer, dict) and answer.get("error", {}).get("code") == -32600 and "key" in answer["error"]["message"]:
        return "bad"
    return ("one", wanted)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failures", default="", help="a file for the lines of blocks that were answered wrongly")
    options = prepare(parser.parse_args())
    mutator = Mutator(options.seed)
    problems, answers, arrived = [], [], threading.Event()
    found = {}

    def on_line(line, when):
        try:
            answer = json.loads(line.decode("utf-8"))
        except ValueError:
            return problems.append(f"not JSON on stdout: {line[:300]!r}")
        if isinstance(answer, dict) and "method" in answer and "id" not in answer:
            if answer.get("jsonrpc") != "2.0":
                problems.append(f"notification without jsonrpc: {line[:300]!r}")
            return
        if isinstance(answer, dict) and str(answer.get("id", "")).startswith("probe "):
            found[answer["id"]] = answer
            return arrived.set()
        answers.append(seen(answer, problems))

    engine = Engine(command(options), on_line)
    known, probes = None, 0
    rss = Memory(engine.pid)
    sent, wanted_count, blocks, unanswered, start = 0, 0, 0, 0, time.monotonic()
    died = False

    def probe():
        """All lines before it were read; waits until nothing is in work."""
        nonlocal known, probes
        probes += 1
        name = f"probe {probes}"
        arrived.clear()
        engine.send(request(name, "embed", input=PROBE, encoding_format="base64"))
        if not arrived.wait(60):
            problems.append("a probe was not answered")
            return False
        answer = found.pop(name)
        embedding = answer["result"]["data"][0]["embedding"] if "result" in answer else answer
        known = known or embedding
        if "result" not in answer or not same(embedding, known):
            problems.append(f"a probe's vector changed: {str(answer)[:300]}")
        return True

    try:
        probe()
        while sent < options.lines and not died:
            lines = [mutator.line() for _ in range(min(1000, options.lines - sent))]
            lines = [part for line in lines for part in line.split(b"\n")]
            wanted = [e for e in map(expected, lines) if e != ()]
            data = b"\n".join(lines) + b"\n"
            while data:  # pieces that end anywhere
                size = mutator.rng.randrange(1, 1 << 17)
                engine.send(data[:size])
                data = data[size:]
            if not probe():
                died = True
            end = time.monotonic() + 20
            while len(answers) < len(wanted) and time.monotonic() < end and not engine.ended.is_set():
                time.sleep(0.002)
            got = answers[:]
            del answers[:]
            difference = Counter(map(repr, wanted)), Counter(map(repr, got))
            missing, extra = difference[0] - difference[1], difference[1] - difference[0]
            if missing or extra:
                unanswered += max(0, len(wanted) - len(got))
                problems.append(f"block {blocks}: missing {list(missing)[:3]}, unexpected {list(extra)[:3]}")
                if options.failures:
                    with open(options.failures, "ab") as file:
                        for line in lines:
                            if repr(expected(line)) in missing or not extra - Counter():
                                file.write(line + b"\n")
            sent += len(lines)
            wanted_count += len(wanted)
            blocks += 1
            rss.sample()
            if blocks % 50 == 0:
                progress(f"{sent} lines, {wanted_count} answers, {sent / (time.monotonic() - start):.0f} lines/s, {mb(engine.rss())}, {len(problems)} problems")
            if len(problems) > 50:
                break
    except (OSError, EOFError) as error:
        problems.append(f"the engine is gone: {error}")
    status = engine.close()
    if status != 0:
        problems.append(f"exit status {status}")
    if engine.errors():
        problems.append(f"stderr: {engine.errors()[:300]}")
    if answers:
        problems.append(f"{len(answers)} answers after the last probe")
    first, last = rss.tenth(), rss.tenth(last=True)
    if blocks >= 100 and last > 1.1 * first + (1 << 22):
        problems.append(f"memory grew from {mb(first)} to {mb(last)}")
    for problem in problems[:20]:
        progress("PROBLEM: " + problem)
    print(f"mutated-lines: {sent} lines, {wanted_count} to be answered, {unanswered} unanswered, {probes} probes right, deaths {int(died or status != 0)}, "
          f"{len(problems)} problems, RSS first tenth {mb(first)}, last tenth {mb(last)}, {time.monotonic() - start:.0f} s")
    sys.exit(1 if problems else 0)


main()
