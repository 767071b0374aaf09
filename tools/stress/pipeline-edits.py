#!/usr/bin/env python3
"""Edits, adds and removes materials while workers and backfills embed them: at the end the last
version of every file is what is stored and embedded.

    tools/stress/pipeline-edits.py [--rounds 4] [--edits 60] [--words 800] [--overtakings 20]

Each round, a worker and a backfill that is started again and again run on a library, while two
others write files anew and add them (material add, with and without --queue, of a whole file or
with a small change), or remove materials. At the end a last worker and a backfill run, and the
library must hold the same chunks and vectors as a fresh one of the same files.
"""
import random, shutil, threading, time

from library import *

ADD = ("--subject", "s", "--quiet")


class Round:
    def __init__(self, program, options, rng):
        self.program, self.options, self.rng = program, options, rng
        self.folder = Folder()
        self.library = self.folder.file()
        self.files = write_files(self.folder.path, rng, options.words, 6, copies=2)
        program.must(self.library, "material", "add", *self.files, *ADD, "--create-subject")
        self.problems: list[str] = []
        self.is_over = threading.Event()
        self.edits = self.removals = self.runs = 0

    def call(self, *line, codes=(0,)):
        """Runs what must go well among others."""
        result = self.program.run(self.library, *line)
        if result.code not in codes:
            self.problems.append(f"{' '.join(line[:2])}: exit {result.code}: {result.last_error}")
        return result

    def edit(self, files, seed):
        """One editor: its own files, in random order."""
        rng = random.Random(seed)
        for _ in range(self.options.edits):
            path = rng.choice(files)
            with open(path) as file:
                content = file.read()
            choice = rng.random()
            if choice < 0.4:
                content = text(rng, rng.randrange(20, self.options.words))
            elif choice < 0.7:
                content += "\n\n" + text(rng, 20)
            elif choice < 0.9:
                content = text(rng, 20) + "\n\n" + content
            else:
                self.remove(path)
            with open(path + ".new", "w") as file:
                file.write(content)
            os.replace(path + ".new", path)
            how = ("--queue",) if rng.random() < 0.3 else ()
            self.call("material", "add", path, *ADD, *how)
            self.edits += 1
            if rng.random() < 0.3:
                time.sleep(rng.random() * 0.2)

    def remove(self, path):
        ids = query(self.library, "SELECT id FROM materials WHERE source_path = ?", path)
        for (id,) in ids:
            self.call("material", "remove", str(id))
            self.removals += 1

    def backfill(self):
        while not self.is_over.is_set():
            self.call(*BACKFILL)
            self.runs += 1

    def run(self):
        worker = self.program.start(
            self.library, "worker", "--poll-interval", "0.05", "--concurrency", "2")
        backfill = threading.Thread(target=self.backfill)
        backfill.start()
        seeds = [self.rng.random(), self.rng.random()]
        editors = [threading.Thread(target=self.edit, args=(self.files[n::2], seeds[n]))
                   for n in range(2)]
        for editor in editors:
            editor.start()
        for editor in editors:
            editor.join()
        self.is_over.set()
        backfill.join()
        # The last tasks of the worker are done before it is told to end.
        end = time.monotonic() + 60
        while time.monotonic() < end and scalar(self.library, """
                SELECT count(*) FROM tasks WHERE state IN ('queued', 'running')
                AND julianday(next_run_at) <= julianday('now')"""):
            time.sleep(0.05)
        worker.terminate()
        result = finish(worker, 10)
        if result.code != 0:
            self.problems.append(f"worker: exit {result.code}: {result.last_error}")
        self.problems += completed(self.library)
        self.compare()
        return self.problems

    def compare(self):
        """Compares the library with a fresh one."""
        fresh = self.folder.file("fresh")
        self.program.must(fresh, "material", "add", *self.files, *ADD, "--create-subject")
        self.program.must(fresh, *BACKFILL)
        sql = """
            SELECT source_path, ordinal, text, text_hash, byte_start, byte_end, token_count,
                embedding
            FROM content_chunks JOIN materials ON materials.id = material_id ORDER BY 1, 2"""
        self.problems += sound(self.library, vectors(fresh))
        found, wanted = query(self.library, sql), query(fresh, sql)
        if found == wanted:
            return
        self.problems.append(f"{len(found)} chunks, {len(wanted)} in a fresh library")
        for path in self.files:
            if [row for row in found if row[0] == path] != [row for row in wanted
                                                            if row[0] == path]:
                self.problems.append(f"{os.path.basename(path)} is not as it is now")


def overtaken(program, folder, words, count):
    """A slow reader of the old version must not overwrite the new one: a worker has a large file
    in its hands when it is edited and added again."""
    problems = []
    path, library = os.path.join(folder.path, "large.txt"), folder.file("overtaken")
    for number in range(count):
        delay = 0.05 + 0.5 * number / count
        with open(path, "w") as file:
            file.write(text(random.Random(number), words))
        program.must(library, "material", "add", path, *ADD, "--create-subject", "--queue")
        worker = program.start(library, "worker", "--once", "--poll-interval", "0.05")
        time.sleep(delay)
        with open(path, "w") as file:
            file.write(f"the new version is one of {number} chunks")
        program.must(library, "material", "add", path, *ADD)
        result = finish(worker, 200)
        if result.code not in (0, 1):
            problems.append(f"worker: exit {result.code}: {result.last_error}")
        texts = [row[0] for row in query(library, "SELECT text FROM content_chunks")]
        if len(texts) != 1 or not texts[0].startswith("the new version"):
            problems.append(f"edit after {delay:.2f} s: {len(texts)} chunks of the old version"
                            " are stored")
    return problems


def main():
    options = options_of(__doc__, rounds=4, edits=60, words=800, overtakings=20)
    rng, tally, program = random.Random(options.seed), Tally(), Program(options)
    for number in range(1, options.rounds + 1):
        start = time.monotonic()
        trial = Round(program, options, rng)
        problems = trial.run()
        if problems:
            kept = os.path.join(tempfile.gettempdir(), f"minilm-edits-{number}.sqlite")
            shutil.copyfile(trial.library, kept)
            problems.append(f"kept: {kept}")
        tally.check(f"round {number}", problems,
                    f"{trial.edits} edits and {trial.removals} removals beside a worker and"
                    f" {trial.runs} backfills: as a fresh library,"
                    f" in {time.monotonic() - start:.0f} s")
    tally.check("overtaken", overtaken(program, Folder(), options.words * 100,
                                       options.overtakings),
                f"the new version is stored, of {options.overtakings}")
    tally.end()


main()
