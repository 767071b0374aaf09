#!/usr/bin/env python3
"""SIGINT and SIGTERM end backfills and workers soon, and in good order.

    tools/stress/pipeline-signals.py [--rounds 40] [--words 1500] [--patience 1] [--seed N]

At a random moment a signal is sent: a backfill ends with 130, a worker with 0, both within 3 s
(--patience times as long on a loaded machine); nothing stays in work, and what was not done counts
no attempt. Another run does the rest. Some rounds hold the library locked meanwhile: the signal
ends the wait.
"""
import random, signal, sqlite3, time

from library import *

WORKER = ("worker", "--poll-interval", "0.05")
LINES = {
    "backfill": (BACKFILL, 130),
    "worker": (WORKER, 0),
    "backfill-1": ((*BACKFILL, "--batch-size", "1"), 130),
    "worker-3": ((*WORKER, "--concurrency", "3"), 0),
    "backfill-locked": (BACKFILL, 130),
    "worker-locked": (WORKER, 0),
}
LIMIT = 3


def catches_signals(pid):
    """Whether a process has handlers for both signals."""
    wanted = 1 << (signal.SIGINT - 1) | 1 << (signal.SIGTERM - 1)
    try:
        with open(f"/proc/{pid}/status") as status:
            caught = next(line for line in status if line.startswith("SigCgt:"))
    except (OSError, StopIteration):
        return False
    return int(caught.split()[1], 16) & wanted == wanted


def trial(program, folder, base, reference, seconds, limit, name, rng):
    library, (line, expected) = folder.copy(base), LINES[name]
    count = scalar(library, "SELECT count(*) FROM content_chunks")
    process = program.start(library, *line)
    # Before that, the program does not know yet what a signal means.
    while process.poll() is None and not catches_signals(process.pid):
        time.sleep(0.001)
    time.sleep(rng.random() * seconds)
    holder = None
    if name.endswith("-locked"):
        holder = sqlite3.connect(library, timeout=60, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        time.sleep(0.5)
    if process.poll() is not None:
        if holder:
            holder.close()
        return [] if finish(process).code == 0 else ["failed before the signal"], 0
    sent = time.monotonic()
    process.send_signal(rng.choice((signal.SIGINT, signal.SIGTERM)))
    result = finish(process, 10 * limit)
    took = time.monotonic() - sent
    if holder:
        holder.execute("ROLLBACK")
        holder.close()
    problems = [] if took <= limit else [f"took {took:.1f} s"]
    if result.code not in (expected, 0):
        problems.append(f"exit {result.code}, not {expected}: {result.last_error}")
    if result.code == 0 and expected and counts(library) != {"completed": count}:
        problems.append("exit 0, and not all was done")
    problems += sound(library, reference, count)
    if not holder:
        # Behind a lock nothing can be given back; the next start does it.
        problems += [f"{number} chunks in work"] if (number := in_work(library)) else []
        tries = query(library, """
            SELECT count(*) FROM content_chunks
            WHERE attempts <> 0 AND embedding_status <> 'completed' OR attempts > 1""")[0][0]
        problems += [f"{tries} chunks with attempts that were not made"] if tries else []
        tasks = query(library, """
            SELECT state, attempts FROM tasks WHERE state = 'running' OR attempts > 1
                OR state = 'queued' AND attempts > 0""")
        problems += [f"tasks: {tasks[:3]}"] if tasks else []
        claims = scalar(library, "SELECT count(*) FROM claims")
        problems += [f"{claims} claims"] if claims else []
    rest = program.run(library, "worker", "--once", "--poll-interval", "0.05")
    if rest.code:
        problems.append(f"then: exit {rest.code}: {rest.last_error}")
    problems += completed(library) + sound(library, reference, count)
    folder.remove(library)
    return problems, took


def main():
    options = options_of(__doc__, rounds=40, words=1500, patience=1.0, only="")
    rng, tally, program = random.Random(options.seed), Tally(), Program(options)
    folder = Folder()
    files = write_files(folder.path, rng, options.words, 3)
    base = folder.file("base")
    program.must(base, "material", "add", *files, "--subject", "s", "--create-subject", "--quiet")
    done = folder.copy(base)
    seconds = program.must(done, *BACKFILL).seconds
    reference = vectors(done)
    slowest = {}
    for number in range(options.rounds):
        name = list(LINES)[number % len(LINES)]
        if not is_wanted(options, name):
            continue
        problems, took = trial(
            program, folder, base, reference, seconds * 0.8, LIMIT * options.patience, name, rng)
        slowest[name] = max(took, slowest.get(name, 0))
        if problems:
            tally.check(f"{name} {number + 1}", problems)
    times = ", ".join(f"{name} {took:.2f} s" for name, took in slowest.items())
    failed = [f"{tally.failed} rounds"] if tally.failed else []
    tally.check(f"{options.rounds} signals", failed, f"all ended in good order; at most: {times}")
    tally.end()


main()
