#!/usr/bin/env python3
"""Compares the engine behind its pipes with the engine in one process: the same texts, in turns.

    tools/stress/throughput.py [--texts 1500] [--rounds 3] [--program .build/release/minilm]

Behind the pipes: `minilm serve`, base64, requests of --request-size texts, --in-flight at a time. In one process: `minilm embed --format f32`
of a file, less the time that the same takes with one text. Figures are medians of the rounds. Then the cost of one short request: its time
as the host sees it, less `timings.total_ms` of its answer (the pipes, the scheduler of the system), and less the time that was computed.
"""
import json, os, random, statistics, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *


def served(options, texts):
    slots, answers = threading.Semaphore(options.in_flight), {}

    def on_line(line, when):
        answer = json.loads(line)
        answers[answer["id"]] = (when, answer)
        slots.release()

    engine = Engine(command(options), on_line)
    engine.send(request("warm up", "embed", input=WORDS[:3]))
    while "warm up" not in answers:
        time.sleep(0.001)
    lines = [request(start, "embed", input=texts[start:start + options.request_size], encoding_format="base64")
             for start in range(0, len(texts), options.request_size)]
    slots = threading.Semaphore(options.in_flight)
    start = time.monotonic()
    for line in lines:
        slots.acquire()
        engine.send(line)
    while len(answers) < len(lines) + 1:
        time.sleep(0.001)
    seconds = max(when for when, _ in answers.values()) - start
    embeddings = [item["embedding"] for at in range(0, len(texts), options.request_size) for item in answers[at][1]["result"]["data"]]
    engine.close()
    return seconds, embeddings


def in_process(options, texts, folder):
    source, target = os.path.join(folder, "texts"), os.path.join(folder, "vectors")
    with open(source, "w") as file:
        file.writelines(text + "\n" for text in texts)
    line = [options.program, "embed", "--quiet", "--format", "f32", "--input", source, "--output", target]
    line += ["--model", options.model] if options.model else []
    line += ["--threads", str(options.threads)] if options.threads else []
    start = time.monotonic()
    subprocess.run(line, check=True, stdin=subprocess.DEVNULL)
    seconds = time.monotonic() - start
    with open(target, "rb") as file:
        return seconds, file.read()


def short_requests(options, count):
    engine = Engine(command(options))
    texts = [f"how do I find the best restaurant near number {n} today" for n in range(count + 20)]
    for text in texts[:20]:
        engine.call("embed", input=text)
    compute = lambda: engine.call("stats")["result"]["engine"]["compute_seconds"]
    before, walls, totals = compute(), [], []
    for text in texts[20:]:
        line = request("short", "embed", input=text, encoding_format="base64")
        start = time.monotonic()
        engine.send(line)
        data, when = engine.lines.get(timeout=60)
        walls.append(1000 * (when - start))
        totals.append(json.loads(data)["result"]["timings"]["total_ms"])
    computed = 1000 * (compute() - before) / count
    info = []
    for _ in range(count):
        start = time.monotonic()
        engine.send(b'{"id":1,"method":"x"}\n')
        _, when = engine.lines.get(timeout=60)
        info.append(1000 * (when - start))
    engine.close()
    pipe = statistics.median(wall - total for wall, total in zip(walls, totals))
    return statistics.median(walls), statistics.median(totals), computed, pipe, statistics.median(info)


def main():
    parser = arguments(__doc__, real_model=True)
    parser.add_argument("--texts", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--request-size", type=int, default=128)
    parser.add_argument("--in-flight", type=int, default=4)
    parser.add_argument("--short", type=int, default=300, help="short requests")
    parser.add_argument("--least", type=float, default=0.97, help="the ratio that is enough")
    parser.add_argument("--most", type=float, default=0.2, help="the milliseconds in the pipes that are not too many")
    parser.add_argument("--seed", type=int, default=1)
    options = prepare(parser.parse_args(), real_model=True)
    rng, problems = random.Random(options.seed), []
    texts = [text_of_tokens(rng, rng.choice([rng.randrange(8, 30), rng.randrange(8, 30), rng.randrange(30, 256)])) for _ in range(options.texts)]
    pipes, processes, ratios = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            seconds, embeddings = served(options, texts)
            pipes.append(len(texts) / seconds)
            start_up = min(in_process(options, texts[:1], folder)[0] for _ in range(3))
            seconds, data = in_process(options, texts, folder)
            processes.append((len(texts) - 1) / (seconds - start_up))
            ratios.append(pipes[-1] / processes[-1])
            size = len(data) // len(texts)
            for n, embedding in enumerate(embeddings):
                if not same(embedding, base64.b64encode(data[n * size:(n + 1) * size]).decode()):
                    problems.append(f"text {n} differs")
                    break
            progress(f"round {number + 1}: {pipes[-1]:.1f} texts/s behind pipes, {processes[-1]:.1f} in one process (start-up {start_up:.2f} s)")
    ratio = statistics.median(pipes) / statistics.median(processes)
    if ratio < options.least:
        problems.append(f"ratio {ratio:.3f}")
    wall, total, computed, pipe, empty = short_requests(options, options.short)
    if pipe > options.most:
        problems.append(f"{pipe:.3f} ms in the pipes")
    for problem in problems:
        progress("PROBLEM: " + problem)
    print(f"throughput: {options.texts} texts, {options.rounds} rounds, behind pipes {statistics.median(pipes):.1f} texts/s, in one process "
          f"{statistics.median(processes):.1f}, ratio {ratio:.3f} (of rounds {', '.join(f'{r:.3f}' for r in ratios)}); a short request {wall:.2f} ms for the host, "
          f"{total:.2f} ms by its timings, {computed:.2f} ms of computing: {pipe:.3f} ms in the pipes, {wall - computed:.3f} ms beside computing; "
          f"an unknown method {empty:.3f} ms; {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
