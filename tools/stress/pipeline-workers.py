#!/usr/bin/env python3
"""Several workers and a backfill on one library at once: all is done, and nothing twice.

    tools/stress/pipeline-workers.py [--rounds 10] [--words 1500] [--workers 4] [--seed N]

Each round begins with several programs that make the library, all at once. Then so many workers
(--once) and a backfill embed a library of materials that have texts in common. Every chunk is
completed with the vector of a lone run bit for bit; every text was computed once; no task has
succeeded twice.

And: a backfill that has chunks in work is stopped (SIGSTOP) while a worker runs, and killed after
that; the chunks are not forgotten: a worker does them, with no other command.
"""
import random, signal, sqlite3, time

from library import *


def create(program, folder, count):
    """Makes one library by several programs at once."""
    library = folder.file("new")
    started = [program.start(library, "subject", "add", f"s{n}") for n in range(count)]
    results = [finish(process) for process in started]
    problems = [f"exit {result.code}: {result.last_error}" for result in results if result.code]
    if not problems:
        problems += sound(library)
        subjects = scalar(library, "SELECT count(*) FROM subjects")
        problems += [] if subjects == count else [f"{subjects} subjects, not {count}"]
    folder.remove(library)
    return problems


def race(program, folder, base, reference, count, rng):
    """Workers and a backfill on a copy; the problems, and what to say."""
    library = folder.copy(base)
    lines = [("worker", "--once", "--poll-interval", "0.05")] * count
    # What each worker has at once differs between rounds.
    lines = [(*line, "--concurrency", str(rng.randrange(1, 3))) for line in lines]
    lines.insert(rng.randrange(count + 1), BACKFILL)
    started = []
    for line in lines:
        started.append(program.start(library, *line))
        time.sleep(rng.choice((0, 0.05)))
    problems = []
    for line, process in zip(lines, started):
        result = finish(process)
        if result.code:
            problems.append(f"{line[0]}: exit {result.code}: {result.last_error}")
    # A worker that ran once may have left what another one had in work.
    left = counts(library)
    problems += sound(library, reference) + completed(library)
    tries = query(library, "SELECT text_hash, sum(attempts) FROM content_chunks GROUP BY 1")
    wrong = [number for _, number in tries if number != 1]
    if wrong:
        problems.append(f"{len(wrong)} texts were not computed once: {sorted(wrong)[-3:]} times")
    twice = query(library, """
        SELECT task_id, count(*) FROM task_runs WHERE outcome = 'succeeded'
        GROUP BY 1 HAVING count(*) > 1""")
    if twice:
        problems.append(f"tasks that succeeded more than once: {twice[:3]}")
    tasks = dict(query(library, "SELECT state, count(*) FROM tasks GROUP BY 1"))
    if set(tasks) != {"succeeded"}:
        problems.append(f"tasks: {tasks}")
    folder.remove(library)
    return problems, f"{left.get('completed', 0)} chunks, {len(tries)} texts computed once"


def stopped_in_work(program, library, rng):
    """A backfill that is stopped with chunks in work, and with no lock on the library; None where
    it was too fast."""
    backfill = program.start(library, *BACKFILL)
    time.sleep(0.1 + 0.2 * rng.random())
    for _ in range(200):
        time.sleep(0.005)
        if backfill.poll() is not None:
            return None
        backfill.send_signal(signal.SIGSTOP)
        database = sqlite3.connect(library, timeout=0, isolation_level=None)
        try:
            database.execute("BEGIN EXCLUSIVE")
            if database.execute("SELECT count(*) FROM claims").fetchone()[0]:
                return backfill
        except sqlite3.OperationalError:
            pass  # it holds a lock
        finally:
            database.close()
        backfill.send_signal(signal.SIGCONT)
    return None


def forgotten(program, folder, base, reference, rng):
    """Chunks that another had in work when the tasks ran, and that died with it."""
    library = folder.copy(base)
    backfill = stopped_in_work(program, library, rng)
    if backfill is None:
        return [], "too fast to be stopped"
    held = in_work(library)
    worker = program.start(library, "worker", "--poll-interval", "0.05")
    end = time.monotonic() + 30
    # All but what the stopped one holds, and equal texts.
    while time.monotonic() < end and counts(library).get("pending", 0) > held:
        time.sleep(0.05)
    time.sleep(0.5)
    left = counts(library).get("pending", 0)
    backfill.kill()
    backfill.wait()
    end = time.monotonic() + 60
    start = time.monotonic()
    while time.monotonic() < end and counts(library).get("pending"):
        time.sleep(0.1)
    took = time.monotonic() - start
    worker.terminate()
    result = finish(worker, 10)
    problems = [f"worker: exit {result.code}: {result.last_error}"] if result.code else []
    problems += completed(library) + sound(library, reference)
    folder.remove(library)
    return problems, f"{left} chunks of a dead backfill done by a worker in {took:.1f} s"


def main():
    options = options_of(__doc__, rounds=10, words=1500, workers=4, only="")
    rng, tally, program = random.Random(options.seed), Tally(), Program(options)
    folder = Folder()
    files = write_files(folder.path, rng, options.words, 6, copies=4)
    base = folder.file("base")
    program.must(base, "material", "add", *files, "--subject", "s", "--create-subject", "--quiet")
    done = folder.copy(base)
    program.must(done, *BACKFILL)
    reference = vectors(done)
    for number in range(1, options.rounds + 1):
        if is_wanted(options, "create"):
            tally.check(f"create {number}", create(program, folder, 8), "8 programs at once")
        if is_wanted(options, "race"):
            start = time.monotonic()
            problems, facts = race(program, folder, base, reference, options.workers, rng)
            facts += f" by {options.workers} workers and a backfill"
            tally.check(f"race {number}", problems, f"{facts} in {time.monotonic() - start:.1f} s")
        if is_wanted(options, "forgotten"):
            tally.check(f"forgotten {number}", *forgotten(program, folder, base, reference, rng))
    tally.end()


main()
