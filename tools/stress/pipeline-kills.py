#!/usr/bin/env python3
"""Kills the pipeline at random moments and checks that nothing is lost, double, or other than
without the kills.

    tools/stress/pipeline-kills.py [--rounds 450] [--real-rounds 50] [--words 1500] [--seed N]

On fresh copies of a library whose vectors are missing, these run, are killed (SIGKILL) at moments
spread over start-up, computing and storing, and are started again until all is done:
  backfill-10, -auto, -1   generate-missing-embeddings --all with these sizes of a batch
  worker                   worker --once --concurrency 2; the texts are cut already
  queue                    the same; the worker takes the texts from the files first
  add                      material add; then a worker, which must find all that was added
  real                     backfill-10 with the model that users have
After every kill: the file is sound, no chunk is missing or double, what is completed has the
vector of an uninterrupted run bit for bit, no more is in work than a batch. --rounds counts kills.
"""
import os, random, shutil, subprocess, tempfile, time

from library import *

WORKER = ("worker", "--once", "--poll-interval", "0.05", "--concurrency", "2")
KINDS = {
    "backfill-10": (*BACKFILL, "--batch-size", "10"),
    "worker": WORKER,
    "backfill-auto": (*BACKFILL, "--batch-size", "auto"),
    "queue": WORKER,
    "backfill-1": (*BACKFILL, "--batch-size", "1"),
    "add": WORKER,
}


class Trial:
    """A library that is worked on, under kills, to the end."""

    def __init__(self, base, kind, line, rng):
        self.base, self.kind, self.line, self.rng = base, kind, line, rng
        self.kills = self.starts = self.lost = 0
        self.library = base.folder.file(kind)
        if kind == "add":
            base.program.must(self.library, "subject", "add", "s")
        else:
            shutil.copyfile(base.unread if kind == "queue" else base.unembedded, self.library)

    def delay(self):
        """Seconds until the kill: in start-up, or anywhere."""
        slowness = self.base.slowness
        if self.rng.random() < 0.3:
            return self.rng.random() * 0.1
        return self.rng.random() * self.rng.choice((0.2, 0.5, 1.0)) * slowness

    def run(self, line):
        """Runs until it is killed or ends: None, or the result."""
        self.starts += 1
        process = self.base.program.start(self.library, *line)
        try:
            process.wait(self.delay())
        except subprocess.TimeoutExpired:
            process.kill()
        result = finish(process)
        if result.code != -9:
            return result
        self.kills += 1
        return None

    def add(self):
        """Adds the files under kills."""
        line = ("material", "add", *self.base.files, "--subject", "s", "--quiet")
        # Once it was killed in mid-work, a worker has to do with what is there.
        for _ in range(self.rng.randrange(1, 6)):
            if self.run(line) is not None:
                break
            if problems := self.check():
                return problems
        return []

    def check(self):
        whole = self.kind not in ("queue", "add")
        problems = sound(self.library, self.base.reference, self.base.count if whole else None)
        if problems or self.line is None:
            return problems
        now = in_work(self.library)
        self.lost += now
        limit = self.limit()
        if now > limit:
            problems.append(f"{now} chunks in work, more than {limit}")
        tries = scalar(self.library, "SELECT total(attempts) FROM content_chunks")
        done = counts(self.library).get("completed", 0)
        if tries > done + self.lost:
            problems.append(f"{tries} attempts for {done} completed and {self.lost} in work")
        return problems

    def limit(self):
        """How many chunks may be in work: a batch, or one for each of a worker's tasks."""
        return {"backfill-1": 1, "backfill-10": 10, "backfill-auto": 100, "worker": 2 * 10}.get(
            self.kind, 2 * 100)

    def work(self, most):
        """To the end, with at most so many kills: what was wrong."""
        problems = self.add() if self.kind == "add" else []
        while not problems:
            result = self.run(self.line) if self.kills < most else \
                self.base.program.run(self.library, *self.line)
            problems = self.check()
            if result and result.code != 0:
                problems.append(f"exit {result.code}: {result.last_error}")
            if result:
                break
            if self.starts > 400:
                problems.append("no end after 400 starts")
        return problems or self.check_end()

    def check_end(self):
        problems = completed(self.library)
        if self.kind == "add":
            # What the last kill kept from being added is added now.
            line = ("material", "add", *self.base.files, "--subject", "s", "--quiet")
            self.base.program.must(self.library, *line)
            self.base.program.run(self.library, *self.line)
            problems += completed(self.library)
        problems += sound(self.library, self.base.reference, self.base.count)
        if vectors(self.library) != self.base.reference:
            problems.append("other texts than without kills")
        if self.line == WORKER:
            states = dict(query(self.library, "SELECT state, count(*) FROM tasks GROUP BY 1"))
            if set(states) - {"succeeded"}:
                error = query(self.library, """
                    SELECT name, attempts, last_error FROM tasks WHERE state <> 'succeeded'""")
                problems.append(f"tasks: {states}: {error[0]}")
        return problems


class Base:
    """The same files as a library without vectors, and the vectors that they must get."""

    def __init__(self, program, words, rng):
        self.program, self.folder = program, Folder()
        self.files = write_files(self.folder.path, rng, words, 4, copies=2)
        self.unembedded, self.unread = self.folder.file("base"), self.folder.file("unread")
        add = ("material", "add", *self.files, "--subject", "s", "--create-subject", "--quiet")
        program.must(self.unembedded, *add)
        program.must(self.unread, *add, "--queue")
        done = self.folder.copy(self.unembedded)
        self.slowness = program.must(done, *BACKFILL, seconds=600).seconds
        self.reference = vectors(done)
        self.count = counts(done)["completed"]


def attack(base, kinds, rounds, rng, tally):
    """Trials of the kinds in turn until so many kills were done."""
    kills = dict.fromkeys(kinds, 0)
    starts, trials, most = 0, 0, min(60, -(-rounds // len(kinds)))
    while sum(kills.values()) < rounds:
        kind = min(kills, key=kills.get)
        trial = Trial(base, kind, kinds[kind], rng)
        problems = trial.work(min(most, rounds - sum(kills.values())))
        kills[kind] += max(trial.kills, 1)
        starts += trial.starts
        trials += 1
        if problems:
            kept = os.path.join(tempfile.gettempdir(), os.path.basename(trial.library))
            shutil.copyfile(trial.library, kept)
            tally.check(f"{kind} after {trial.kills} kills", [*problems[:3], f"kept: {kept}"])
        base.folder.remove(trial.library)
    return kills, starts, trials


def main():
    options = options_of(__doc__, rounds=450, real_rounds=50, words=1500, only="")
    rng, tally = random.Random(options.seed), Tally()
    kinds = {name: line for name, line in KINDS.items() if is_wanted(options, name)}
    parts = [("tiny model", Program(options), options.rounds, kinds, options.words)]
    if options.real_rounds and real_model():
        real = {"backfill-10": KINDS["backfill-10"], "worker": WORKER}
        program = Program(options, real_model())
        parts.append(("real model", program, options.real_rounds, real, options.words * 4))
    elif options.real_rounds:
        print(f"skipped: no model at {REAL_MODEL}")
    for name, program, rounds, kinds, words in parts:
        if not rounds:
            continue
        start = time.monotonic()
        base, failed = Base(program, words, rng), tally.failed
        kills, starts, trials = attack(base, kinds, rounds, rng, tally)
        each = ", ".join(f"{kind} {count}" for kind, count in kills.items())
        facts = (f"{sum(kills.values())} kills ({each}) in {starts} starts, {trials} libraries of"
                 f" {base.count} chunks, {len(base.reference)} texts, in"
                 f" {time.monotonic() - start:.0f} s: all completed, bit for bit")
        tally.check(name, [f"{tally.failed - failed} trials"] if tally.failed > failed else [],
                    facts)
    tally.end()


main()
