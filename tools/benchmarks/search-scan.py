#!/usr/bin/env python3
"""How long an exact search takes: a library of so many chunks with random unit vectors, then queries one after another.

    pip install numpy
    tools/benchmarks/search-scan.py [--chunks 100000] [--queries 50]

Prints the time of the first query (the matrix is made then), the median and the largest of the others, keyword and hybrid
beside, and the largest memory. The words of the chunks are random too.
"""
import argparse, os, random, shutil, sqlite3, statistics, subprocess, tempfile, time

import numpy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def fill(path, count):
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    fingerprint = database.execute("SELECT active_fingerprint FROM generation").fetchone()[0]
    generator = numpy.random.default_rng(7)
    words = [f"word{i}" for i in range(20000)]
    rng = random.Random(7)
    for start in range(0, count, 10000):
        block = generator.standard_normal((min(10000, count - start), 384), dtype=numpy.float32)
        block /= numpy.linalg.norm(block, axis=1, keepdims=True)
        database.executemany(
            "INSERT INTO content_chunks (material_id, ordinal, text, text_hash, token_count, embedding, embedding_byte_count,"
            " embedding_status, model_fingerprint) VALUES (1, ?, ?, randomblob(32), 30, ?, 1536, 'completed', ?)",
            ((10 + start + i, " ".join(rng.choices(words, k=30)), row.tobytes(), fingerprint) for i, row in enumerate(block)))
        database.commit()
    database.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=f"{ROOT}/.build/release/minilm")
    parser.add_argument("--model", default=f"{ROOT}/weights/all-MiniLM-L6-v2.safetensors")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=50)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="minilm-scan-")
    try:
        measure(options, folder)
    finally:
        shutil.rmtree(folder)


def measure(options, folder):
    path = os.path.join(folder, "library.sqlite")
    env = dict(os.environ, MINILM_LIBRARY=path, MINILM_MODEL=options.model)
    note = os.path.join(folder, "note.txt")
    with open(note, "w") as file:
        file.write("One note.")
    subprocess.run([options.program, "material", "add", note, "--subject", "s", "--create-subject", "--embed", "--quiet"],
                   env=env, check=True, stdout=subprocess.DEVNULL)
    start = time.monotonic()
    fill(path, options.chunks)
    print(f"{options.chunks} chunks made in {time.monotonic() - start:.0f} s, {os.path.getsize(path) / 1e6:.0f} MB")
    queries = "".join(f"A question about word{i * 37} and word{i * 91}?\n" for i in range(options.queries))
    for mode in ("vector", "vector", "keyword", "hybrid"):
        start = time.monotonic()
        process = subprocess.Popen([options.program, "search", "--queries", "-", "--mode", mode, "--json", "--timings"],
                                   env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        process.stdin.write(queries)
        process.stdin.close()
        peak, times = 0, []
        for line in process.stderr:
            if "searched in" in line:
                times.append(float(line.split("searched in ")[1].split()[0]))
            try:
                with open(f"/proc/{process.pid}/status") as file:
                    fields = dict(row.split(":", 1) for row in file)
                peak = max(peak, int(fields["VmHWM"].split()[0]))
            except (OSError, KeyError):
                pass
        process.wait()
        print(f"{mode:8} first {times[0]:.1f} ms, then median {statistics.median(times[1:]):.1f} ms, largest {max(times[1:]):.1f} ms; "
              f"peak {peak / 1000:.0f} MB; {time.monotonic() - start:.1f} s in all")


main()
