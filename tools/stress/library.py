"""What the scripts about the pipeline share: libraries made of generated files, runs of the
program on them, and what must hold of a library at every moment."""
import dataclasses, hashlib, os, random, shutil, signal, sqlite3, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import ROOT, WORDS, arguments, prepare, progress

REAL_MODEL = os.path.join(ROOT, "weights", "all-MiniLM-L6-v2.safetensors")
# The crash handler of the Swift runtime may outlive the program, and holds its pipes open.
ENVIRONMENT = {**os.environ, "SWIFT_BACKTRACE": "enable=no"}
BACKFILL = ("generate-missing-embeddings", "--all", "--quiet")


def options_of(description, **defaults):
    """The options of a script: those of the folder, a seed, and sizes with these defaults."""
    parser = arguments(description)
    parser.add_argument("--seed", type=int, default=None, help="of all that is random")
    for name, value in defaults.items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=type(value), default=value, help="default: %(default)s")
    options = prepare(parser.parse_args())
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {options.seed}", flush=True)
    return options


def is_wanted(options, name):
    """Whether --only, parts of names with commas between, names a trial."""
    return any(part in name for part in options.only.split(","))


def real_model():
    """The path of the model that users have; None where it is not there."""
    path = os.environ.get("MINILM_MODEL") or REAL_MODEL
    return path if os.path.exists(path) else None


@dataclasses.dataclass
class Result:
    code: int
    out: str
    err: str
    seconds: float

    @property
    def last_error(self):
        """What the program says last on stderr; its log comes before."""
        lines = self.err.strip().splitlines()
        return lines[-1] if lines else ""


class Program:
    """The program with a model."""

    def __init__(self, options, model=None):
        self.path, self.model = options.program, model or options.model
        self.threads = [] if model else ["--threads", str(options.threads)]
        self.prefix: list[str] = []

    def line(self, library, *args):
        """The command line; `args` begins with the command."""
        line = [*self.prefix, self.path, *args, "--library", library]
        if args[0] in ("worker", "generate-missing-embeddings"):
            line += ["--model", self.model, *self.threads]
        elif args[0] in ("status", "search", "verify") or args[:2] == ("material", "add"):
            line += ["--model", self.model]
        if args[0] == "worker" and "--log-level" not in args:
            line += ["--log-level", "critical"]
        return line

    def start(self, library, *args, env=None, **popen):
        return subprocess.Popen(
            self.line(library, *args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**ENVIRONMENT, **(env or {})}, **popen)

    def run(self, library, *args, seconds=120, env=None, **popen):
        """Runs to the end; what takes longer is killed, with -9 as its code."""
        start = time.monotonic()
        return finish(self.start(library, *args, env=env, **popen), seconds, start)

    def must(self, library, *args, **more):
        """Runs what has to go well for the test to begin."""
        result = self.run(library, *args, **more)
        if result.code != 0:
            sys.exit(f"cannot prepare: {args}: exit {result.code}: {result.err.strip()}")
        return result


def finish(process, seconds=120, start=None):
    """Waits for a process; what takes longer is killed."""
    start = time.monotonic() if start is None else start
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err += f"\n<killed after {seconds} s>".encode()
    return Result(process.returncode, out.decode(errors="replace"),
                  err.decode(errors="replace"), time.monotonic() - start)


def text(rng, words):
    """Paragraphs of so many words."""
    parts = []
    while words > 0:
        count = min(words, rng.randrange(20, 90))
        parts.append(" ".join(rng.choice(WORDS) for _ in range(count)) + ".")
        words -= count
    return "\n\n".join(parts)


def write_files(folder, rng, words, count, copies=1):
    """`count` text files of `words` words each, and `copies` more that repeat the first ones in
    part: their chunks are equal texts."""
    texts = [text(rng, words) for _ in range(count)]
    for copy in range(copies):
        texts.append(texts[copy % count] + "\n\n" + text(rng, words // 4))
    paths = []
    for number, content in enumerate(texts):
        paths.append(os.path.join(folder, f"material-{number}.txt"))
        with open(paths[-1], "w") as file:
            file.write(content)
    return paths


class Folder:
    """A folder for libraries, gone at the end; others may look into it."""

    def __init__(self):
        self.kept = tempfile.TemporaryDirectory(prefix="minilm-pipeline-")
        self.path = self.kept.name
        os.chmod(self.path, 0o755)
        self.count = 0

    def file(self, name="library"):
        self.count += 1
        return os.path.join(self.path, f"{name}-{self.count}.sqlite")

    def copy(self, library):
        """A copy of a library that nobody has open."""
        path = self.file()
        shutil.copyfile(library, path)
        return path

    def remove(self, library):
        for suffix in ("", "-journal", "-wal", "-shm"):
            if os.path.exists(library + suffix):
                os.remove(library + suffix)


def query(library, sql, *values):
    """The rows of a query."""
    database = sqlite3.connect(library, timeout=60)
    try:
        return database.execute(sql, values).fetchall()
    finally:
        database.close()


def change(library, sql, *values):
    """Changes a library behind the program's back."""
    database = sqlite3.connect(library, timeout=60)
    try:
        with database:
            return database.execute(sql, values).rowcount
    finally:
        database.close()


def scalar(library, sql, *values):
    return query(library, sql, *values)[0][0]


def counts(library):
    """How many chunks there are of each status."""
    sql = "SELECT embedding_status, count(*) FROM content_chunks GROUP BY 1"
    return dict(query(library, sql))


def vectors(library):
    """The vectors by the hash of their text."""
    return dict(query(library, """
        SELECT text_hash, embedding FROM content_chunks WHERE embedding_status = 'completed'"""))


def sound(library, reference=None, count=None):
    """What is wrong in a library that must be whole, whatever happened to its writers.

    reference -- the vector of each text, which every completed chunk must have bit for bit
    count -- of chunks
    """
    problems = []
    database = sqlite3.connect(library, timeout=60)
    try:
        integrity = [row[0] for row in database.execute("PRAGMA integrity_check")]
        if integrity != ["ok"]:
            return [f"integrity_check: {integrity[0][:200]}"]
        if keys := database.execute("PRAGMA foreign_key_check").fetchall():
            problems.append(f"foreign_key_check: {keys[:3]}")
        rows = database.execute("""
            SELECT material_id, ordinal, text, text_hash, embedding, embedding_status
            FROM content_chunks ORDER BY material_id, ordinal""").fetchall()
    finally:
        database.close()
    if count is not None and len(rows) != count:
        problems.append(f"{len(rows)} chunks, not {count}")
    places = {}
    for material, ordinal, words, digest, vector, status in rows:
        if ordinal != places.get(material, 0):
            problems.append(f"material {material}: chunk {ordinal} stands at"
                            f" {places.get(material, 0)}")
        places[material] = ordinal + 1
        if hashlib.sha256(words.encode()).digest() != digest:
            problems.append(f"chunk {ordinal} of material {material}: wrong hash")
        if status == "completed" and reference is not None and vector != reference.get(digest):
            problems.append(
                f"chunk {ordinal} of material {material}: completed with a vector of"
                f" {len(vector or b'')} bytes that is not the reference's")
    return problems[:10]


def completed(library):
    """What is wrong in a library whose work is done."""
    problems = [f"{count} chunks are {status}" for status, count in counts(library).items()
                if status != "completed"]
    for table, condition in (("content_chunks", "claim_id IS NOT NULL"), ("claims", "TRUE"),
                             ("content_chunks", "is_set_aside"), ("tasks", "state = 'running'"),
                             ("materials", "processing_status <> 'completed'")):
        if number := scalar(library, f"SELECT count(*) FROM {table} WHERE {condition}"):
            problems.append(f"{number} of {table} where {condition}")
    return problems


def in_work(library):
    return scalar(library, "SELECT count(*) FROM content_chunks WHERE claim_id IS NOT NULL")


class Tally:
    """Counts checks and tells of the first problems."""

    def __init__(self):
        self.failed = 0

    def check(self, name, problems, facts=""):
        """One line for a person."""
        self.failed += bool(problems)
        said = "; ".join(problems[:3]) if problems else facts
        print(f"{'FAILED' if problems else 'ok':6} {name}: {said}", flush=True)

    def end(self):
        """Ends the script."""
        if self.failed:
            print(f"{self.failed} FAILED")
        sys.exit(1 if self.failed else 0)
