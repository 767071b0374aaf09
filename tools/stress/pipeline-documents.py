#!/usr/bin/env python3
"""Real documents, from nothing to complete with one command: as fast as `minilm embed` on the same
texts, in flat memory; and again with nothing to do.

    tools/stress/pipeline-documents.py [DIR…] [--files 0] [--rounds 3] [--texts 2000] [--model FILE]

DIR: folders of documents (/usr/share/doc); --files takes so many of them, at random (0: all).
  complete   material add --embed of all of them into a new library: every chunk has its vector,
             and the resident memory is flat (5 %) after the first third of the time
  again      the same command, and a backfill: nothing to do, in under a second
  rate       --texts texts of it as a library without vectors under a backfill, and as lines for
             `minilm embed`, in turns: at least 0.9 of its rate (median of the rounds), by the
             clock and in processor time; --rounds 0 leaves it out
"""
import json, os, random, statistics, subprocess, time

from harness import Memory, mb
from library import *


def sample(folders, count, rng, target):
    """A folder with copies of so many of the files below these."""
    files = []
    for folder in folders:
        for path, _, names in os.walk(folder):
            files += [os.path.join(path, name) for name in sorted(names)]
    files = sorted(name for name in files if os.path.isfile(name) and not os.path.islink(name))
    os.mkdir(target)
    for number, name in enumerate(rng.sample(files, min(count, len(files)))):
        shutil.copyfile(name, os.path.join(target, f"{number}-{os.path.basename(name)}"))
    return [target]


def timed(line):
    """Seconds by the clock, seconds of the processor, exit code, and what stderr says."""
    before, start = os.times(), time.monotonic()
    result = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, env=ENVIRONMENT)
    seconds, after = time.monotonic() - start, os.times()
    spent = sum(after[2:4]) - sum(before[2:4])
    return seconds, spent, result.returncode, result.stderr.decode(errors="replace")


def complete(program, library, sources, tally):
    line = ("material", "add", *sources, "--subject", "s", "--create-subject", "--embed")
    start = time.monotonic()
    process = program.start(library, *line)
    memory = Memory(process.pid).every(0.2)
    result = finish(process, 24 * 3600, start)
    problems = [] if result.code in (0, 1) else [f"exit {result.code}: {result.last_error}"]
    found = counts(library)
    if set(found) != {"completed"}:
        problems.append(f"chunks: {found}")
    problems += sound(library)
    settled = [value for when, value in memory.samples if value and when - start > result.seconds / 3]
    if settled and max(settled) > 1.05 * settled[0]:
        problems.append(f"memory grew from {mb(settled[0])} to {mb(max(settled))}")
    materials = scalar(library, "SELECT count(*) FROM materials WHERE processing_status = 'completed'")
    different = scalar(library, "SELECT count(DISTINCT text_hash) FROM content_chunks")
    tally.check("complete", problems, f"{materials} documents, {found.get('completed')} chunks ({different} different)"
                f" in {result.seconds:.0f} s, at most {mb(max(memory.values or [0]))} resident, library"
                f" {mb(os.path.getsize(library))}")


def again(program, library, sources, tally):
    for name, line in (
        ("again: material add", ("material", "add", *sources, "--subject", "s", "--embed", "--quiet")),
        ("again: backfill", ("generate-missing-embeddings", "--all")),
    ):
        results = [program.run(library, *line) for _ in range(3)]
        best = min(result.seconds for result in results)
        problems = [f"exit {result.code}: {result.last_error}" for result in results if result.code not in (0, 1)]
        if "backfill" in name and results[0].code == 0 and "nothing to do" not in results[0].out:
            problems.append(results[0].out.strip())
        if best >= 1:
            problems.append(f"{best:.2f} s")
        tally.check(name, problems, f"{best:.2f} s")


def rate(program, folder, library, options, tally):
    texts = [row[0] for row in query(library, """
        SELECT text FROM content_chunks GROUP BY text_hash ORDER BY min(id) LIMIT ?""", options.texts)]
    source = os.path.join(folder.path, "texts.jsonl")
    with open(source, "w") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    bare = folder.copy(library)
    change(bare, """DELETE FROM content_chunks WHERE id NOT IN (
        SELECT min(id) FROM content_chunks GROUP BY text_hash ORDER BY min(id) LIMIT ?)""", options.texts)
    change(bare, """UPDATE content_chunks SET embedding = NULL, embedding_byte_count = NULL,
        embedding_status = 'pending', model_fingerprint = NULL, attempts = 0""")
    model = ["--model", program.model]
    clock, processor = [], []
    problems = []
    for number in range(options.rounds):
        copy = folder.copy(bare)
        lines = {
            "embed": [program.path, "embed", "--quiet", "--format", "f32", "--input-format", "jsonl",
                      "--input", source, "--output", os.path.join(folder.path, "vectors"), *model],
            "backfill": [program.path, *BACKFILL, "--batch-size", "auto", "--library", copy, *model],
        }
        seconds, spent = {}, {}
        for name in sorted(lines, reverse=number % 2 == 1):
            seconds[name], spent[name], code, errors = timed(lines[name])
            if code != 0:
                problems.append(f"{name}: exit {code}: {errors[-200:]}")
        if problems or completed_count(copy) != len(texts):
            problems.append(f"{completed_count(copy)} of {len(texts)} chunks are completed")
            break
        clock.append(seconds["embed"] / seconds["backfill"])
        processor.append(spent["embed"] / spent["backfill"])
        progress(f"round {number + 1}: {len(texts) / seconds['embed']:.1f} texts/s by embed, "
                 f"{len(texts) / seconds['backfill']:.1f} by the backfill")
        folder.remove(copy)
    if not problems and max(statistics.median(clock), statistics.median(processor)) < 0.9:
        problems.append(f"{statistics.median(clock):.3f} of the rate of embed")
    facts = "" if problems else (f"{len(texts)} texts: {statistics.median(clock):.3f} of the rate of `minilm embed` by the"
                                 f" clock, {statistics.median(processor):.3f} in processor time")
    tally.check("rate", problems, facts)


def completed_count(library):
    return counts(library).get("completed", 0)


def main():
    parser = arguments(__doc__, real_model=True)
    parser.add_argument("folders", metavar="DIR", nargs="*", default=["/usr/share/doc"])
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = prepare(parser.parse_args(), real_model=True)
    model = options.model or real_model()
    if model is None:
        return print(f"skipped: no model at {REAL_MODEL}")
    folder, tally, program = Folder(), Tally(), Program(options, model)
    sources = options.folders
    if options.files:
        sources = sample(sources, options.files, random.Random(options.seed), os.path.join(folder.path, "files"))
    library = folder.file()
    complete(program, library, sources, tally)
    again(program, library, sources, tally)
    if options.rounds:
        rate(program, folder, library, options, tally)
    tally.end()


main()
