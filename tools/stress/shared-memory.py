#!/usr/bin/env python3
"""Starts engines side by side, lets each embed one text, and reads what they take together.

    tools/stress/shared-memory.py [--engines 10] [--program .build/release/minilm]

The model's weights are mapped, so one copy serves all. Pss counts a shared page by its share; the sum of Pss is what all take together.
"""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *


def rollup(pid):
    values = {}
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            name, _, rest = line.partition(":")
            if rest.strip().endswith("kB"):
                values[name] = int(rest.split()[0]) * 1024
    return values


def main():
    parser = arguments(__doc__, real_model=True)
    parser.add_argument("--engines", type=int, default=10)
    options = prepare(parser.parse_args(), real_model=True)
    engines, sums, problems, vectors = [], [], [], set()
    for number in range(options.engines):
        engine = Engine(command(options))
        engines.append(engine)
        answer = engine.call("embed", input="A sentence that each of the engines embeds once.", encoding_format="base64")
        vectors.add(answer["result"]["data"][0]["embedding"])
        rows = [rollup(e.pid) for e in engines]
        sums.append(sum(row["Pss"] for row in rows))
        progress(f"{number + 1} engines: sum of Rss {mb(sum(row['Rss'] for row in rows))}, sum of Pss {mb(sums[-1])}, "
                 f"the last one's Rss {mb(rows[-1]['Rss'])}, Pss {mb(rows[-1]['Pss'])}, private dirty {mb(rows[-1]['Private_Dirty'])}")
    if len(vectors) != 1:
        problems.append("the engines do not agree")
    for engine in engines:
        if engine.close() != 0 or engine.errors():
            problems.append("an engine did not end well")
    for problem in problems:
        progress("PROBLEM: " + problem)
    more = (sums[-1] - sums[0]) / max(1, len(sums) - 1)
    print(f"shared-memory: {options.engines} engines, sum of Rss {mb(sum(row['Rss'] for row in rows))}, sum of Pss {mb(sums[-1])}; "
          f"the first takes {mb(sums[0])}, each further {mb(more)}; {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
