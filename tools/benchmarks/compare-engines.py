#!/usr/bin/env python3
"""Times `minilm serve` and sentence-transformers on the lines of text files: the same texts, in turns, each in a process of its own.

    pip install torch sentence-transformers
    tools/benchmarks/compare-engines.py [--rounds 3] [--threads 2] [--limit 1000] FILE...

Prints medians: seconds from the process's start to the first vector, texts a second, milliseconds for one text at a time, and peak
memory; then the largest difference between an element of the two engines' vectors.
"""
import argparse, base64, json, os, resource, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class MiniLM:
    def __init__(self, a):
        self.process = subprocess.Popen([a.program, "serve", "--threads", str(a.threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, texts):
        import numpy as np
        request = {"id": 1, "method": "embed", "params": {"input": texts, "encoding_format": "base64"}}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        data = json.loads(self.process.stdout.readline())["result"]["data"]
        return np.array([np.frombuffer(base64.b64decode(x["embedding"]), "<f4") for x in data])

    def peak(self):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


class SentenceTransformers:
    def __init__(self, a):
        import torch
        from sentence_transformers import SentenceTransformer
        torch.set_num_threads(a.threads)
        self.model = SentenceTransformer(a.checkpoint, device="cpu")

    def __call__(self, texts):
        return self.model.encode(texts, batch_size=32)

    def peak(self):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


ENGINES = {"minilm": MiniLM, "sentence-transformers": SentenceTransformers}


def child(a, texts):
    import numpy as np
    start = time.perf_counter()
    engine = ENGINES[a.child](a)
    engine(["The first text."])
    first = time.perf_counter() - start
    start = time.perf_counter()
    vectors = engine(texts)
    rate = len(texts) / (time.perf_counter() - start)
    latencies = []
    for text in texts[:100]:
        start = time.perf_counter()
        engine([text])
        latencies.append((time.perf_counter() - start) * 1e3)
    np.save(a.vectors, vectors)
    print(json.dumps({"start s": first, "texts/s": rate, "one text ms": statistics.median(latencies), "peak MB": engine.peak()}))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("files", nargs="+", metavar="FILE")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--limit", type=int, default=1000)
    p.add_argument("--program", default=f"{ROOT}/.build/release/minilm")
    p.add_argument("--checkpoint", default=f"{ROOT}/weights/checkpoint")
    p.add_argument("--child", help=argparse.SUPPRESS)
    p.add_argument("--vectors", help=argparse.SUPPRESS)
    a = p.parse_args()
    texts = [l.strip() for f in a.files for l in open(f, encoding="utf-8", errors="replace") if l.strip()][:a.limit]
    if a.child:
        return child(a, texts)
    import numpy as np
    results, work = {e: [] for e in ENGINES}, tempfile.mkdtemp()
    for _ in range(a.rounds):
        for engine in ENGINES:
            out = subprocess.run([sys.executable, *sys.argv, "--child", engine, "--vectors", f"{work}/{engine}.npy"], check=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            results[engine].append(json.loads(out.splitlines()[-1]))
    keys = list(results["minilm"][0])
    print("| engine | " + " | ".join(keys) + " |\n" + "|---" * (len(keys) + 1) + "|")
    for engine, rounds in results.items():
        print(f"| {engine} | " + " | ".join(f"{statistics.median(r[k] for r in rounds):.2f}" for k in keys) + " |")
    a, b = (np.load(f"{work}/{e}.npy") for e in ENGINES)
    print(f"{len(texts)} texts; largest difference of an element: {np.abs(a - b).max():.1e}")


main()
