#!/usr/bin/env python3
"""A full disk, locked, read-only and damaged libraries, broken vectors: each is told in one clear
line with the right exit code, nothing is lost, and work goes on once the cause is gone.

    tools/stress/pipeline-faults.py [--rounds 200] [--hold 40] [--words 600] [--only NAME]

Trials (--only takes parts of names, with commas between):
  full-disk        a small file system fills up under a backfill and workers (74); needs root
  size-limit       the limit of a file's size is reached (74)
  read-only-*      file, directory and mount may not be written (77); the last two need root
  locked-short     another process holds the library for 3 s: nothing to be seen
  locked-long      for --hold seconds, longer than the program waits (75); 0 skips it
  damaged-*        pages, the header or the end overwritten; a text file, an empty one, a foreign
                   database (65), all left as they are
  damaged-random   --rounds libraries with bytes overwritten anywhere: no crash, no hang
  values-*         values of a wrong kind in the rows: no crash
  vector-*         vectors cut short, NaN, of no length, of zeros: found, queued and made again
"""
import contextlib, json, os, random, resource, shutil, sqlite3, struct, subprocess, tempfile
import threading, time

from library import *

WORKER = ("worker", "--once", "--poll-interval", "0.05")
VERIFY = ("verify", "--quiet")
SEARCH = ("search", "the house", "--subject", "s")
PAGE = 4096


class Base:
    def __init__(self, options, rng):
        self.options, self.rng, self.folder = options, rng, Folder()
        # Others than the one who runs this need to read the model.
        model = os.path.join(self.folder.path, "model.safetensors")
        shutil.copyfile(options.model, model)
        os.chmod(model, 0o644)
        options.model = model
        self.program = Program(options)
        files = write_files(self.folder.path, rng, options.words, 3)
        self.library = self.folder.file("base")
        self.program.must(self.library, "material", "add", *files, "--subject", "s",
                          "--create-subject", "--quiet")
        self.done = self.folder.copy(self.library)
        self.program.must(self.done, *BACKFILL)
        self.program.must(self.done, *WORKER)
        self.reference = vectors(self.done)
        self.count = scalar(self.library, "SELECT count(*) FROM content_chunks")

    def finish(self, library, program=None, worker=False):
        """What is wrong after the cause is gone and the work was done."""
        result = (program or self.program).run(library, *(WORKER if worker else BACKFILL))
        problems = [] if result.code == 0 else [f"then: exit {result.code}: {result.last_error}"]
        problems += sound(library, self.reference, self.count) + completed(library)
        return problems + ([] if vectors(library) == self.reference else ["other vectors"])

    def nobody(self):
        """The program as one who may write little; None where that cannot be."""
        program = Program(self.options)
        if os.geteuid() == 0:
            ids = ("--reuid", "65534", "--regid", "65534", "--clear-groups")
            program.prefix = ["setpriv", *ids]
        with contextlib.suppress(OSError):
            line = [*program.prefix, program.path, "--version"]
            if subprocess.run(line, capture_output=True).returncode == 0:
                return program
        return None


def wrong(name, result, codes, words=""):
    """What is wrong with how a run failed."""
    codes = (codes,) if isinstance(codes, int) else codes
    problems = []
    if result.code not in codes:
        problems.append(f"{name}: exit {result.code}, not {' or '.join(map(str, codes))}:"
                        f" {result.last_error[:200]}")
    lines = result.err.strip().splitlines()
    if result.code and (len(lines) != 1 or not lines[0].startswith("minilm: ")):
        problems.append(f"{name}: {len(lines)} lines on stderr: {lines[:3]}")
    elif result.code and words not in lines[0]:
        problems.append(f"{name}: does not say \"{words}\": {lines[0]}")
    return problems


@contextlib.contextmanager
def mounted(path, *options):
    os.makedirs(path, exist_ok=True)
    if subprocess.run(["mount", *options, path], capture_output=True).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@contextlib.contextmanager
def held(library):
    """Holds a library locked."""
    database = sqlite3.connect(library, timeout=0, isolation_level=None,
                               check_same_thread=False)
    while True:
        try:
            database.execute("BEGIN EXCLUSIVE")
            break
        except sqlite3.OperationalError:
            time.sleep(0.001)
    try:
        yield
    finally:
        database.execute("ROLLBACK")
        database.close()


# MARK: - Disk


def full_disk(base):
    """Little room is left, less than the vectors need."""
    point = os.path.join(base.folder.path, "small")
    with mounted(point, "-t", "tmpfs", "-o", "size=16m", "minilm-small") as is_mounted:
        if not is_mounted:
            return None
        problems, filler = [], os.path.join(point, "filler")
        for name, line, room in (("backfill", BACKFILL, 9), ("worker", WORKER, 9),
                                 ("backfill", BACKFILL, 0), ("worker", WORKER, 1)):
            library = os.path.join(point, "library.sqlite")
            shutil.copyfile(base.library, library)
            fill(filler, room)
            result = base.program.run(library, *line)
            problems += wrong(f"{name}, {room} pages", result, 74, "no space")
            os.remove(filler)
            problems += sound(library, base.reference, base.count)
            dead = scalar(library, "SELECT count(*) FROM tasks WHERE state = 'dead'")
            problems += [f"{dead} tasks are dead"] if dead else []
            problems += base.finish(library)
        return problems + waiting_worker(base, os.path.join(point, "waits.sqlite"), filler)


def fill(path, pages):
    """Leaves so many pages of a file system."""
    with open(path, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(PAGE))
        size = max(0, file.tell() // PAGE - pages) * PAGE
    os.truncate(path, size)


def waiting_worker(base, library, filler):
    """A worker that goes on by itself once there is room."""
    shutil.copyfile(base.library, library)
    fill(filler, 9)
    process = base.program.start(library, "worker", "--poll-interval", "0.1", "--no-jitter")
    time.sleep(2)
    is_alive = process.poll() is None
    os.remove(filler)
    end = time.monotonic() + 60
    while is_alive and time.monotonic() < end and counts(library).get("pending"):
        time.sleep(0.1)
    process.terminate()
    result = finish(process, 10)
    if not is_alive:
        return [f"waiting worker: exit {result.code} on the full disk: {result.last_error}"]
    problems = wrong("waiting worker", result, 0)
    return problems + completed(library) + sound(library, base.reference, base.count)


def size_limit(base):
    problems = []
    for name, line in (("backfill", BACKFILL), ("worker", WORKER)):
        library = base.folder.copy(base.library)
        limit = os.path.getsize(library) // PAGE * PAGE + 2 * PAGE

        def lower():
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        result = base.program.run(library, *line, preexec_fn=lower)
        problems += wrong(name, result, 74)
        problems += sound(library, base.reference, base.count) + base.finish(library)
    return problems


# MARK: - Permissions


def read_only_file(base, folder_mode=0o777, file_mode=0o444):
    program = base.nobody()
    if program is None:
        return None
    problems = []
    for name, line in (("backfill", BACKFILL), ("worker", WORKER)):
        folder = os.path.join(base.folder.path, f"read-only-{name}-{file_mode:o}")
        os.makedirs(folder, exist_ok=True)
        library = os.path.join(folder, "library.sqlite")
        shutil.copyfile(base.library, library)
        os.chmod(library, file_mode)
        os.chmod(folder, folder_mode)
        before = open(library, "rb").read()
        problems += wrong(name, program.run(library, *line), 77, "may not be written")
        problems += wrong("status", program.run(library, "status"), 0)
        if open(library, "rb").read() != before:
            problems.append(f"{name}: the file is another")
        os.chmod(folder, 0o777)
        os.chmod(library, 0o666)
        problems += base.finish(library, program)
    return problems


def read_only_directory(base):
    """The file may be written, but no journal beside it."""
    if os.geteuid() != 0:
        return None
    problems = read_only_file(base, 0o755, 0o666)
    if problems is not None:
        program = base.nobody()
        path = os.path.join(base.folder.path, "new.sqlite")
        problems += wrong("new library", program.run(path, "subject", "add", "s"), (73, 77))
    return problems


def read_only_mount(base):
    folder = os.path.join(base.folder.path, "mount")
    with mounted(folder, "-t", "tmpfs", "-o", "size=16m", "minilm-mount") as is_mounted:
        if not is_mounted:
            return None
        library = os.path.join(folder, "library.sqlite")
        shutil.copyfile(base.library, library)
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        problems = []
        for line in (BACKFILL, WORKER, ("subject", "add", "x")):
            result = base.program.run(library, *line)
            problems += wrong(line[0], result, 77, "may not be written")
        problems += wrong("status", base.program.run(library, "status"), 0)
        path = os.path.join(folder, "new.sqlite")
        problems += wrong("new library", base.program.run(path, "subject", "add", "s"), (73, 77))
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
        return problems + base.finish(library)


# MARK: - Locks


def locked_short(base):
    problems = []
    for name, line in (("backfill", BACKFILL), ("worker", WORKER)):
        library = base.folder.copy(base.library)
        process = base.program.start(library, *line)
        time.sleep(base.rng.random() * 0.2)
        with held(library):
            time.sleep(3)
        problems += wrong(name, finish(process), 0)
        problems += completed(library) + sound(library, base.reference, base.count)
    return problems


def locked_long(base):
    if not base.options.hold:
        return None
    lines = {"backfill": BACKFILL, "worker": WORKER, "status": ("status",)}
    libraries = {name: base.folder.copy(base.library) for name in lines}
    started = {name: base.program.start(libraries[name], *line) for name, line in lines.items()
               if name != "status"}
    time.sleep(0.15)
    problems, start = [], time.monotonic()
    with contextlib.ExitStack() as locks:
        # Busy writers leave others little time: all at once, not one after the other.
        waiting = [held(library) for library in libraries.values()]
        threads = [threading.Thread(target=locks.enter_context, args=(lock,))
                   for lock in waiting]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        started["status"] = base.program.start(libraries["status"], "status")
        for name, process in started.items():
            left = base.options.hold - (time.monotonic() - start)
            result = finish(process, max(1, left))
            problems += wrong(f"{name} after {time.monotonic() - start:.0f} s", result, 75,
                              "locked")
    for name, library in libraries.items():
        dead = scalar(library, "SELECT count(*) FROM tasks WHERE state = 'dead'")
        problems += [f"{dead} tasks are dead"] if dead else []
        problems += base.finish(library, worker=name == "worker")
    return problems


# MARK: - Damage


def overwrite(path, position, data):
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(data)


def pages_of(library, table):
    """A leaf and the root of a table or index."""
    number = scalar(library, "SELECT rootpage FROM sqlite_master WHERE name = ?", table)
    return (number - 1) * PAGE


def damaged(base, library, codes=None, is_same=True, verify=65):
    """What commands say of a damaged file."""
    before = open(library, "rb").read()
    problems = []
    for line in (("status",), BACKFILL, WORKER, SEARCH, VERIFY, ("task", "list"),
                 ("material", "list")):
        # What is not damaged can still be read; a search may find no vector yet.
        sane = (0, 65, 66) if line == SEARCH else (0, 65)
        expected = verify if line == VERIFY else codes or sane
        problems += wrong(line[0], base.program.run(library, *line, seconds=60), expected)
        if is_same and open(library, "rb").read() != before:
            return [*problems, f"{line[0]} changed the file"]
    return problems


def damaged_pages(base):
    problems = []
    for table in ("content_chunks", "content_chunks_by_material", "materials", "tasks"):
        library = base.folder.copy(base.library)
        noise = bytes(base.rng.randrange(256) for _ in range(PAGE))
        overwrite(library, pages_of(library, table), noise)
        problems += [f"{table}: {problem}" for problem in damaged(base, library, None, False)]
        if table == "content_chunks":
            for line in (BACKFILL, WORKER):
                copy = base.folder.copy(base.library)
                overwrite(copy, pages_of(copy, table), noise)
                problems += wrong(line[0], base.program.run(copy, *line), 65, "damaged")
                with contextlib.suppress(sqlite3.DatabaseError):
                    dead = scalar(copy, "SELECT count(*) FROM tasks WHERE state = 'dead'")
                    problems += [f"{line[0]}: {dead} tasks are dead"] if dead else []
    return problems


def damaged_header(base):
    library = base.folder.copy(base.library)
    overwrite(library, 0, bytes(base.rng.randrange(256) for _ in range(100)))
    return damaged(base, library, 65)


def damaged_end(base):
    problems = []
    for share in (0.2, 0.5, 0.9):
        library = base.folder.copy(base.library)
        os.truncate(library, int(os.path.getsize(library) * share))
        problems += damaged(base, library, 65)
    return problems


def damaged_kind(base):
    """Files that are something else."""
    problems = []
    for name, content in (("text", b"just a text\n" * 1000), ("short text", b"x"),
                          ("empty", b""), ("zeros", bytes(8 * PAGE))):
        library = base.folder.file("other")
        with open(library, "wb") as file:
            file.write(content)
        problems += [f"{name}: {problem}" for problem in damaged(base, library, 65)]
    library = base.folder.file("foreign")
    change(library, "CREATE TABLE bookmarks (address TEXT)")
    problems += [f"foreign: {problem}" for problem in damaged(base, library, 65)]
    folder = os.path.join(base.folder.path, "a-folder")
    os.makedirs(folder, exist_ok=True)
    return problems + wrong("folder", base.program.run(folder, "status"), (65, 66, 73))


def damaged_random(base):
    """Bytes anywhere: whatever is read, no crash."""
    rng, problems, codes = base.rng, [], {}
    lines = (BACKFILL, WORKER, ("status",), VERIFY, SEARCH, ("material", "list"),
             ("status", "--failed"), ("task", "list"))
    for number in range(base.options.rounds):
        library = base.folder.copy(base.done if number % 3 else base.library)
        size = os.path.getsize(library)
        for _ in range(rng.choice((1, 1, 3, 20))):
            length = rng.choice((1, 4, 64, PAGE, 3 * PAGE))
            data = bytes(length) if rng.random() < 0.3 else rng.randbytes(length)
            overwrite(library, rng.randrange(100, size - length), data)
        line = lines[number % len(lines)]
        result = base.program.run(library, *line, seconds=60)
        codes[result.code] = codes.get(result.code, 0) + 1
        if problem := wrong(f"{line[0]} of {number}", result, (0, 1, 65, 66)):
            kept = os.path.join(tempfile.gettempdir(), f"minilm-damaged-{number}.sqlite")
            shutil.copyfile(library, kept)
            problems += [*problem, f"kept: {kept}"]
        base.folder.remove(library)
    return problems or ["", f"exit codes {dict(sorted(codes.items()))}"]


VALUES = {
    "materials": ("title", "source_path", "media_type", "content_hash", "processing_status",
                  "last_error", "created_at", "updated_at"),
    "content_chunks": ("ordinal", "text", "text_hash", "page", "token_count", "embedding",
                       "embedding_status", "attempts", "interruptions", "is_set_aside",
                       "last_error", "model_fingerprint", "created_at", "updated_at"),
    "tasks": ("name", "argument", "state", "attempts", "next_run_at", "runs_again", "progress",
              "lease_owner", "lease_token", "lease_expires_at", "created_at", "updated_at"),
    "subjects": ("name", "created_at"),
    "models": ("dimension", "is_unit"),
}


def values(base):
    """Values of a wrong kind, as a damaged page or another program may leave them."""
    problems = []
    odd = (None, b"\xff\xfe", "noon", -(1 << 62), 1e300, "")
    for table, columns in VALUES.items():
        for column in columns:
            for value in odd:
                library = base.folder.copy(base.done)
                database = sqlite3.connect(library)
                database.execute("PRAGMA ignore_check_constraints = ON")
                try:
                    with database:
                        database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = 2"
                                         if table != "models" else
                                         f"UPDATE {table} SET {column} = ?", (value,))
                        if table == "tasks" and column.startswith("lease"):
                            database.execute("UPDATE tasks SET state = 'running' WHERE id = 2")
                except sqlite3.IntegrityError:
                    continue  # as NOT NULL and UNIQUE forbid
                finally:
                    database.close()
                for line in (("status",), BACKFILL, WORKER, SEARCH, VERIFY, ("task", "list"),
                             ("material", "list"), ("status", "--failed")):
                    result = base.program.run(library, *line, seconds=60)
                    if result.code < 0 or result.code >= 128 or result.code == 70:
                        problems.append(f"{table}.{column} = {value!r}: {line[0]}: exit"
                                        f" {result.code}: {result.last_error[:150]}")
                base.folder.remove(library)
    return problems


# MARK: - Vectors


def vectors_broken(base, kind):
    """What is found and made again of vectors that are broken; `kind` makes the broken one."""
    problems = []
    for is_verified, worker in ((True, False), (True, True), (False, False)):
        library = base.folder.copy(base.done)
        ids = base.rng.sample(range(1, base.count + 1), 5)
        for id in ids:
            vector = scalar(library, "SELECT embedding FROM content_chunks WHERE id = ?", id)
            change(library, "UPDATE content_chunks SET embedding = ? WHERE id = ?",
                   kind(vector), id)
        problems += wrong("status", base.program.run(library, "status"), 0)
        problems += wrong("search", base.program.run(library, *SEARCH), 0)
        is_short = len(kind(vector) or b"") != len(vector)
        if is_verified:
            before = open(library, "rb").read()
            look = base.program.run(library, *VERIFY, "--check-only", "--json")
            found = json.loads(look.out or "{}")
            number = found.get("missing", 0) + found.get("invalid", 0)
            if look.code != 1 or number != len(ids) or open(library, "rb").read() != before:
                problems.append(f"verify --check-only: exit {look.code}, found {found}")
            problems += wrong("verify", base.program.run(library, *VERIFY), 1)
            pending = counts(library).get("pending", 0)
            problems += [] if pending == len(ids) else [f"{pending} pending after verify"]
        if is_verified or is_short:
            problems += base.finish(library, worker=worker)
            again = base.program.run(library, *VERIFY)
            problems += wrong("verify again", again, 0)
        base.folder.remove(library)
    return problems


def nan(vector):
    return struct.pack("<f", float("nan")) + vector[4:]


TRIALS = {
    "full-disk": full_disk, "size-limit": size_limit,
    "read-only-file": read_only_file, "read-only-directory": read_only_directory,
    "read-only-mount": read_only_mount,
    "locked-short": locked_short, "locked-long": locked_long,
    "damaged-pages": damaged_pages, "damaged-header": damaged_header,
    "damaged-end": damaged_end, "damaged-kind": damaged_kind, "damaged-random": damaged_random,
    "values": values,
    "vector-cut": lambda base: vectors_broken(base, lambda vector: vector[:-4]),
    "vector-odd": lambda base: vectors_broken(base, lambda vector: vector[:-3]),
    "vector-empty": lambda base: vectors_broken(base, lambda vector: b""),
    "vector-none": lambda base: vectors_broken(base, lambda vector: None),
    "vector-nan": lambda base: vectors_broken(base, nan),
    "vector-zeros": lambda base: vectors_broken(base, lambda vector: bytes(len(vector))),
    "vector-long": lambda base: vectors_broken(base, lambda vector: vector + vector),
}


def main():
    options = options_of(__doc__, rounds=200, hold=40, words=600, only="")
    rng, tally = random.Random(options.seed), Tally()
    base = Base(options, rng)
    for name, trial in TRIALS.items():
        if not is_wanted(options, name):
            continue
        start = time.monotonic()
        problems = trial(base)
        facts = f"in {time.monotonic() - start:.1f} s"
        if problems is None:
            print(f"skipped {name}: not possible here, or not wanted", flush=True)
            continue
        if problems[:1] == [""]:
            problems, facts = [], f"{problems[1]}, {facts}"
        tally.check(name, problems, facts)
        for problem in problems[3:]:
            print(f"         {problem}")
    tally.end()


main()
