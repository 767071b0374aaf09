#!/usr/bin/env python3
"""One chunk of a thousand ends the process that computes it: it must be found and set aside, and
cost no other chunk.

    tools/stress/pipeline-poison.py [--rounds 1] [--chunks 1000] [--poisonous 1] [--seed N]

Each round, with backfills of several sizes of a batch and with workers of one and of four tasks
at once: the program is started again until it ends without a signal, at most 12 times for each
poisonous chunk; the others are completed by then. Another run does not end by a signal either.
Then the cause is taken away, and --failed-only completes the rest.
"""
import hashlib, random, time

from library import *

MARKER = "zqz"
WORKER = ("worker", "--once", "--poll-interval", "0.05")
LINES = {
    "backfill-10": BACKFILL,
    "backfill-1": (*BACKFILL, "--batch-size", "1"),
    "backfill-auto": (*BACKFILL, "--batch-size", "auto"),
    "worker": WORKER,
    "worker-4": (*WORKER, "--concurrency", "4"),
}
MOST_STARTS = 12


def library_of(program, folder, rng, chunks):
    """A library without vectors, of just so many chunks with different texts."""
    files = write_files(folder.path, rng, chunks * 3, 3, copies=0)
    base = folder.file("base")
    program.must(base, "material", "add", *files, "--subject", "s", "--create-subject", "--quiet")
    surplus = scalar(base, "SELECT count(*) FROM content_chunks") - chunks
    if surplus < 0:
        sys.exit(f"cannot prepare: {-surplus} chunks too few")
    change(base, """
        DELETE FROM content_chunks WHERE id IN (
            SELECT id FROM content_chunks ORDER BY ordinal DESC, id LIMIT ?)""", surplus)
    return base


def poison(library, rng, count):
    """Puts the marker into chunks; their ids."""
    ids = [row[0] for row in query(library, "SELECT id FROM content_chunks ORDER BY id")]
    for id in (chosen := rng.sample(ids, count)):
        words = f"{MARKER} the {id}"
        change(library, "UPDATE content_chunks SET text = ?, text_hash = ? WHERE id = ?",
               words, hashlib.sha256(words.encode()).digest(), id)
    return set(chosen)


def trial(program, folder, base, name, rng, chunks, count):
    """One library to the end; its problems, and what to say."""
    library, line = folder.copy(base), LINES[name]
    ids, env = poison(library, rng, count), {"MINILM_TEST_ABORT_ON": MARKER}
    problems, starts, limit = [], 0, MOST_STARTS * count
    while starts <= limit:
        starts += 1
        result = program.run(library, *line, env=env, seconds=60)
        problems = sound(library, count=chunks)
        if problems or result.code >= 0 or result.code == -9:
            break
    if result.code == -9:
        problems.append(f"hangs: {counts(library)} after {starts} starts")
    elif result.code < 0:
        problems.append(f"ended by signal {-result.code} still, after {starts} starts")
    elif result.code != 1 and name.startswith("backfill"):
        problems.append(f"exit {result.code}, not 1: {result.last_error}")
    problems += state(library, ids, chunks)
    again = program.run(library, *line, env=env, seconds=60)
    expected = (1,) if name.startswith("backfill") else (0, 1)
    if again.code not in expected:
        problems.append(f"another run: exit {again.code}: {again.last_error}")
    problems += state(library, ids, chunks)
    cured = program.run(library, *BACKFILL, "--failed-only")
    if cured.code != 0:
        problems.append(f"--failed-only: exit {cured.code}: {cured.last_error}")
    problems += completed(library)
    folder.remove(library)
    return problems, starts - 1


def state(library, ids, chunks):
    """What is wrong where only the poisonous must have failed."""
    failed = query(library, """
        SELECT id, is_set_aside, last_error FROM content_chunks
        WHERE embedding_status <> 'completed'""")
    problems = []
    if strangers := {row[0] for row in failed} - ids:
        problems.append(f"innocent chunks not completed: {sorted(strangers)[:5]}"
                        f" of {len(strangers)}")
    if missed := ids - {row[0] for row in failed}:
        problems.append(f"completed in spite of the marker: {missed}")
    if not all(aside and reason for _, aside, reason in failed):
        problems.append(f"not set aside with a reason: {failed[:2]}")
    if claims := scalar(library, "SELECT count(*) FROM claims"):
        problems.append(f"{claims} claims are left")
    return problems


def main():
    options = options_of(__doc__, rounds=1, chunks=1000, poisonous=1, only="")
    rng, tally, program = random.Random(options.seed), Tally(), Program(options)
    for number in range(options.rounds):
        folder = Folder()
        base = library_of(program, folder, rng, options.chunks)
        for name in LINES:
            if not is_wanted(options, name):
                continue
            start = time.monotonic()
            problems, deaths = trial(
                program, folder, base, name, rng, options.chunks, options.poisonous)
            tally.check(f"{name} {number + 1}", problems,
                        f"{options.chunks - options.poisonous} of {options.chunks} completed,"
                        f" {options.poisonous} set aside after {deaths} deaths, completed later,"
                        f" in {time.monotonic() - start:.0f} s")
    tally.end()


main()
