#!/usr/bin/env python3
"""Runs `minilm serve` under a memory ceiling on texts of 1 to 512 tokens and samples its resident memory each second.

    tools/stress/memory-ceiling.py [--ceiling 200MB] [--texts 100000] [--rlimit-as BYTES] [--cgroup] [--program .build/release/minilm]

Requests of 64 texts, at most 8 in flight, base64, max_tokens 512. The resident memory has to stay below the ceiling, and flat after the
first minute (of short runs: the first third). --rlimit-as limits the address space of the engine; --cgroup runs it in a memory cgroup of the
ceiling's size (needs root), v1 or v2, and reports what that counted. 100,000 texts take more than an hour;
--short-share 0.95 makes them sooner done.
"""
import json, os, random, resource, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def size(text):
    digits = text.rstrip("KMGiB")
    return int(digits) * UNITS[text[len(digits):]]


class Group:
    """A memory cgroup."""

    def __init__(self, limit):
        name = f"minilm-stress-{os.getpid()}"
        self.is_v1 = os.path.isdir("/sys/fs/cgroup/memory")
        self.path = os.path.join("/sys/fs/cgroup/memory" if self.is_v1 else "/sys/fs/cgroup", name)
        os.mkdir(self.path)
        if not self.is_v1 and not os.path.exists(os.path.join(self.path, "memory.max")):
            os.rmdir(self.path)
            raise OSError("the memory controller is not enabled for children of the root cgroup")
        self.write("memory.limit_in_bytes" if self.is_v1 else "memory.max", limit)

    def write(self, name, value):
        with open(os.path.join(self.path, name), "w") as file:
            file.write(str(value))

    def read(self, name):
        try:
            with open(os.path.join(self.path, name)) as file:
                return file.read().strip().replace("\n", ", ")
        except OSError:
            return "unknown"

    def enter(self):
        self.write("cgroup.procs", os.getpid())

    def report(self):
        if self.is_v1:
            return (f"cgroup max usage {self.read('memory.max_usage_in_bytes')}, failcnt {self.read('memory.failcnt')}, "
                    f"{self.read('memory.oom_control')}")
        return f"cgroup peak {self.read('memory.peak')}, events {self.read('memory.events')}"

    def remove(self):
        for _ in range(50):
            try:
                return os.rmdir(self.path)
            except OSError:
                time.sleep(0.1)


def main():
    parser = arguments(__doc__, real_model=True)
    parser.add_argument("--ceiling", default="200MB")
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--short-share", type=float, default=0, help="the share of texts with at most 32 tokens (0)")
    parser.add_argument("--rlimit-as", type=size, help="bytes of address space, or with MB, MiB, ...")
    parser.add_argument("--cgroup", nargs="?", const="", help="run in a memory cgroup; its limit, default the ceiling")
    parser.add_argument("--no-ceiling-flag", action="store_true", help="leave --max-memory out: the engine finds its limits itself")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--in-flight", type=int, default=8)
    options = prepare(parser.parse_args(), real_model=True)
    ceiling, rng, problems = size(options.ceiling), random.Random(options.seed), []
    group = Group(size(options.cgroup) if options.cgroup else ceiling) if options.cgroup is not None else None
    slots, answered, failed = threading.Semaphore(options.in_flight), [0], {}
    ends, lock = [], threading.Lock()

    def on_line(line, when):
        answer = json.loads(line)
        with lock:
            if "error" in answer:
                code = answer["error"]["code"]
                failed[code] = failed.get(code, 0) + 1
            else:
                data = answer["result"]["data"]
                bad = [item for item in data if len(item.get("embedding", "")) != 2048]
                if bad and len(problems) < 10:
                    problems.append(f"a text without a whole vector: {str(bad[0])[:200]}")
                answered[0] += len(data) - len(bad)
            ends.append(when)
        slots.release()

    def enter():
        if options.rlimit_as:
            resource.setrlimit(resource.RLIMIT_AS, (options.rlimit_as, options.rlimit_as))
        if group:
            group.enter()

    flags = [] if options.no_ceiling_flag else ["--max-memory", options.ceiling]
    engine = Engine(command(options, *flags), on_line, preexec_fn=enter)
    rss, start, sent, shown = Memory(engine.pid).every(1), time.monotonic(), 0, 0
    try:
        while sent < options.texts and not engine.ended.is_set():
            count = min(64, options.texts - sent)
            texts = [text_of_tokens(rng, max(2, rng.randrange(1, 33 if rng.random() < options.short_share else 513)))
                     for _ in range(count)]
            while not slots.acquire(timeout=1):
                if engine.ended.is_set() or (time.monotonic() - (ends[-1] if ends else start)) > 300:
                    raise OSError("nothing is answered any more")
            engine.send(request(sent, "embed", input=texts, max_tokens=512, encoding_format="base64"))
            sent += count
            if time.monotonic() - start > shown:
                shown += 30
                progress(f"{time.monotonic() - start:.0f} s, {answered[0]} texts, RSS {mb(engine.rss())}, max {mb(max(rss.values or [0]))}")
    except OSError as error:
        problems.append(f"the engine is gone: {error}")
    status = engine.close(600)
    seconds = (ends[-1] if ends else time.monotonic()) - start
    if status != 0 or engine.errors():
        problems.append(f"exit status {status}, stderr {engine.errors()[:400]}")
    if answered[0] != options.texts:
        problems.append(f"{answered[0]} of {options.texts} texts have vectors; errors {failed}")
    values = [(when - start, value) for when, value in rss.samples if value]
    warm = min(60, seconds / 3)
    settled = [value for when, value in values if when >= warm] or [0]
    largest = max(value for _, value in values) if values else 0
    after_warm_up = settled[0]
    flat = max(abs(value - after_warm_up) for value in settled) / max(1, after_warm_up) * 100
    if largest > ceiling:
        problems.append(f"RSS {mb(largest)} is over the ceiling")
    # Memory that shrinks is no harm.
    if max(settled) > 1.05 * after_warm_up:
        problems.append(f"RSS is not flat: {mb(after_warm_up)} after {warm:.0f} s, later {mb(max(settled))}")
    for problem in problems:
        progress("PROBLEM: " + problem)
    extra = (", " + group.report() if group else "") + (f", address space limited to {mb(options.rlimit_as)}" if options.rlimit_as else "")
    if group:
        group.remove()
    print(f"memory-ceiling: {answered[0]} texts in {seconds:.0f} s, {answered[0] / max(1e-9, seconds):.1f} texts/s, ceiling {mb(ceiling)}, max RSS {mb(largest)}, "
          f"after {warm:.0f} s {mb(after_warm_up)}, at the end {mb(settled[-1])}, largest deviation after that {flat:.1f} %{extra}; {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
