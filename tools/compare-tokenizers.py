#!/usr/bin/env python3
"""Compares `minilm tokenize` with Hugging Face `tokenizers`: every Unicode scalar alone and inside a?b, and random strings.

    pip install tokenizers==0.23.3
    tools/compare-tokenizers.py [--random 1000000] [--seed 1] [--program .build/release/minilm] [--checkpoint weights/checkpoint]
    tools/compare-tokenizers.py --speed FILE...     # megabytes a second of both, on one thread, on lines of these files

Prints the differences (ids, and byte offsets) and exits with 1 when there are any.
"""
import argparse, itertools, json, os, random, subprocess, sys, threading, time

os.environ["TOKENIZERS_PARALLELISM"] = "false" if "--speed" in sys.argv else "true"
from tokenizers import Tokenizer

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORDS = "the of and Ünïcödé tokenization embeddings [MASK] [CLS] [SEP] [UNK] [PAD] [mask] ## #a don't 3.14 naïve 東京 한국 हिन्दी".split()
MARKS = [0x300, 0x301, 0x323, 0x334, 0x345, 0x5B0, 0x5BF, 0x64B, 0x651, 0x93C, 0x94D, 0x3099, 0x302A, 0x1D165, 0x1D16D, 0x16FF0, 0x1133B,
         0x1E8D0, 0x1E944, 0x11A34, 0x10F46, 0x1E2EC, 0x8D3, 0x1DF9, 0x9FE, 0xC04, 0x11838, 0x180B, 0x20DD, 0x34F, 0x200D, 0xAD]


def random_text(rng):
    parts = []
    for _ in range(rng.randint(1, 24)):
        kind = rng.random()
        if kind < 0.25:
            parts.append(rng.choice(WORDS))
        elif kind < 0.40:
            parts.append(chr(rng.randint(0, 0x7F)))
        elif kind < 0.55:
            parts.append(chr(rng.choice(MARKS)))
        elif kind < 0.70:
            parts.append(chr(rng.randint(0, 0x2FFF)))
        elif kind < 0.80:
            parts.append(chr(rng.choice([rng.randint(0x3000, 0xD7FF), rng.randint(0xE000, 0xFFFF)])))
        elif kind < 0.88:
            parts.append(chr(rng.randint(0x10000, 0x1FFFF)))
        elif kind < 0.90:
            parts.append(chr(rng.randint(0x20000, 0x10FFFF)))
        else:
            parts.append(rng.choice(" \t\n\u00a0\u3000.,-!"))
    return "".join(parts)


def scalars():
    return (c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF)


def texts(a):
    rng = random.Random(a.seed)
    yield from (("scalar", chr(c)) for c in scalars())
    yield from (("a?b", f"a{chr(c)}b") for c in scalars())
    yield from (("random", random_text(rng)) for _ in range(a.random))


def ours(a, source):
    p = subprocess.Popen([a.program, "tokenize", "--input-format", "jsonl", "--model", a.model], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def feed():
        with p.stdin:
            for _, text in source:
                p.stdin.write(json.dumps(text).encode() + b"\n")

    threading.Thread(target=feed, daemon=True).start()
    yield from (json.loads(line) for line in p.stdout)
    if p.wait() != 0:
        sys.exit(f"minilm tokenize exited with {p.returncode}")


def byte_offsets(text, offsets):
    starts = list(itertools.accumulate((len(c.encode()) for c in text), initial=0))
    return [[starts[x], starts[y]] for x, y in offsets]


def compare(a):
    reference = Tokenizer.from_file(f"{a.checkpoint}/tokenizer.json")
    reference.no_truncation()
    reference.no_padding()
    cases, mine = texts(a), ours(a, texts(a))
    counts, differences = {}, {"ids": 0, "offsets": 0}
    while chunk := list(itertools.islice(cases, 20000)):
        for (kind, text), encoding in zip(chunk, reference.encode_batch([t for _, t in chunk])):
            got = next(mine)
            counts[kind] = counts.get(kind, 0) + 1
            what = None
            if got["ids"] != encoding.ids:
                what = "ids"
            elif got["offsets"][1:-1] != byte_offsets(text, encoding.offsets[1:-1]):
                what = "offsets"
            if what:
                differences[what] += 1
                if differences[what] <= 10:
                    print(f"{what} {kind} {text!r} reference {encoding.ids} {byte_offsets(text, encoding.offsets)} ours {got['ids']} {got['offsets']}")
        print(f"\r{sum(counts.values())} texts, {differences}", end="", file=sys.stderr)
    print(file=sys.stderr)
    print(f"texts {counts}, differences {differences}")
    return any(differences.values())


def speed(a):
    lines = [l.rstrip("\n") for f in a.speed for l in open(f, encoding="utf-8", errors="replace")]
    lines = [l for l in lines if l]
    size = sum(len(l.encode()) for l in lines)
    reference = Tokenizer.from_file(f"{a.checkpoint}/tokenizer.json")
    reference.no_truncation()
    reference.no_padding()
    rates = {"tokenizers": [], "minilm": []}
    for _ in range(5):
        start = time.perf_counter()
        reference.encode_batch_fast(lines, add_special_tokens=True)  # its fastest way: no offsets
        rates["tokenizers"].append(size / (time.perf_counter() - start) / 1e6)
        out = subprocess.run([a.program, "tokenize", "--model", a.model, "--time-only"], input="\n".join(lines).encode(),
                             stdout=subprocess.PIPE, check=True).stdout
        rates["minilm"].append(json.loads(out)["megabytes_per_second"])
    medians = {k: sorted(v)[2] for k, v in rates.items()}
    print(f"{size / 1e6:.1f} MB in {len(lines)} lines, one thread, medians of 5 in turns, MB/s: "
          + ", ".join(f"{k} {v:.1f}" for k, v in medians.items()) + f"; ratio {medians['minilm'] / medians['tokenizers']:.1f}")
    return False


p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--random", type=int, default=1_000_000)
p.add_argument("--seed", type=int, default=1)
p.add_argument("--program", default=f"{ROOT}/.build/release/minilm")
p.add_argument("--model", default=f"{ROOT}/weights/all-MiniLM-L6-v2.safetensors")
p.add_argument("--checkpoint", default=f"{ROOT}/weights/checkpoint")
p.add_argument("--speed", nargs="+", metavar="FILE")
a = p.parse_args()
sys.exit(1 if (speed(a) if a.speed else compare(a)) else 0)
