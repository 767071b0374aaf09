#!/usr/bin/env python3
"""Compares `minilm serve` under two memory ceilings, in turns: with more memory it must not be slower. And holds what `plan` predicts
against what the process takes.

    tools/stress/memory-ceilings.py [--ceilings 200MB,400MB] [--rounds 12] [--texts 400] [--program .build/release/minilm]

Two engines run side by side; each block of texts (1 to 512 tokens) goes to one and then to the other, and in the next round the other way
round, so that a machine that is busy with other things is busy with both. The ratio is the median over the rounds, of seconds by the clock
and of the processor's; the latter has to be --least. Their vectors are compared too: how batches are cut must not matter.

The prediction: an engine with a high ceiling computes texts of one length each, in order of the lengths; what `plan` said before must not
be exceeded by what it takes then, and must not be more than --slack times as much.
"""
import os, random, statistics, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def embedded(engine, blocks):
    """Seconds for the blocks, all in flight at once, by the clock and of the processor, and their vectors."""
    start, before = time.monotonic(), processor_seconds(engine.pid)
    for number, texts in enumerate(blocks):
        engine.send(request(number, "embed", input=texts, max_tokens=512, encoding_format="base64"))
    answers = {}
    while len(answers) < len(blocks):
        answer = engine.next(600)
        answers[answer["id"]] = answer
    seconds, spent = time.monotonic() - start, processor_seconds(engine.pid) - before
    vectors = []
    for number in range(len(blocks)):
        if "error" in answers[number]:
            raise ValueError(answers[number]["error"])
        vectors += [item["embedding"] for item in answers[number]["result"]["data"]]
    return seconds, spent, vectors


def compare(options, rng, problems):
    names = options.ceilings.split(",")
    engines = {name: Engine(command(options, "--max-memory", name)) for name in names}
    times, costs = {name: [] for name in names}, {name: [] for name in names}
    for engine in engines.values():
        embedded(engine, [["warm up"] * 4])
    for number in range(options.rounds):
        texts = [text_of_tokens(rng, rng.randrange(3, 513)) for _ in range(options.texts)]
        blocks = [texts[at:at + 64] for at in range(0, len(texts), 64)]
        found = {}
        for name in names if number % 2 == 0 else reversed(names):
            seconds, spent, found[name] = embedded(engines[name], blocks)
            times[name].append(seconds)
            costs[name].append(spent)
        if not all(same(a, b) for a, b in zip(found[names[0]], found[names[-1]])):
            problems.append(f"round {number + 1}: the vectors differ")
        progress(f"round {number + 1}: " + ", ".join(f"{name} {len(texts) / times[name][-1]:.1f} texts/s" for name in names))
    peaks = {name: memory(engine.pid, "VmHWM") for name, engine in engines.items()}
    for name, engine in engines.items():
        if engine.close() != 0 or engine.errors():
            problems.append(f"{name}: {engine.errors()[:300]}")
    clock, ratio = (statistics.median(low / high for low, high in zip(taken[names[0]], taken[names[-1]])) for taken in (times, costs))
    if ratio < options.least:
        problems.append(f"{names[-1]} is slower than {names[0]}: {ratio:.3f} of its rate")
    rates = ", ".join(f"{name} {options.texts / statistics.median(times[name]):.1f} texts/s, peak {mb(peaks[name])}" for name in names)
    return f"{rates}; {names[-1]} is {clock:.3f} times as fast by the clock, {ratio:.3f} times in processor time"


def predict(options, problems):
    engine = Engine(command(options))
    shown, worst = [], 0
    rng = random.Random(options.seed)
    for length in (16, 128, 256, 512):
        texts = [text_of_tokens(rng, length) for _ in range(max(8, 8192 // length))]
        plan = engine.call("plan", lengths=[length] * len(texts), max_tokens=512, encoding_format="base64")["result"]
        embedded(engine, [texts])
        peak = memory(engine.pid, "VmHWM")
        shown.append(f"{length} tokens: {mb(plan['peak_bytes'])} predicted, {mb(peak)} taken")
        worst = max(worst, plan["peak_bytes"] / peak)
        if peak > plan["peak_bytes"]:
            problems.append(f"texts of {length} tokens took {mb(peak)}, {mb(plan['peak_bytes'])} were predicted")
    if worst > options.slack:
        problems.append(f"predictions are up to {worst:.2f} times what is taken")
    engine.close()
    return "; ".join(shown)


def main():
    parser = arguments(__doc__, real_model=True)
    parser.add_argument("--ceilings", default="200MB,400MB")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--least", type=float, default=0.97, help="the ratio that is enough: what noise leaves of 1")
    parser.add_argument("--slack", type=float, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = prepare(parser.parse_args(), real_model=True)
    problems = []
    prediction = predict(options, problems)
    comparison = compare(options, random.Random(options.seed), problems) if options.rounds else "not compared"
    for problem in problems:
        progress("PROBLEM: " + problem)
    print(f"memory-ceilings: {comparison}; {prediction}; {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
