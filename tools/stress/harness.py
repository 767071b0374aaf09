"""What the scripts of this folder share: an engine on two pipes, its memory, its vectors, the models."""
import argparse, base64, json, math, os, queue, random, struct, subprocess, sys, tempfile, threading, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TINY_CHECKPOINT = os.path.join(ROOT, "Tests", "Fixtures", "tiny-bert")
# Whole tokens of the usual vocabularies: a text of n of them has n tokens and two special ones.
WORDS = ("the of and in to was he is as for on with that it his by at from her she you had an were but be this are not my they one "
         "which or have him me first all also their has up who out been when after there into new two its time would no what about "
         "said we over then other so more can if like back them only some could just school city world water house people music").split()


def progress(message):
    print(message, file=sys.stderr, flush=True)


def arguments(description, real_model=False):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, ".build", "release", "minilm"), help="the program (default: %(default)s)")
    parser.add_argument("--model", help="a model file; default: " + (
        "the program's own" if real_model else "a tiny model that is converted from Tests/Fixtures/tiny-bert"))
    parser.add_argument("--threads", type=int, default=None if real_model else 1, help="threads that compute")
    return parser


def prepare(options, real_model=False):
    """Makes the paths absolute, and the tiny model where none was named."""
    options.program = os.path.abspath(options.program)
    if options.model is None and not real_model:
        folder = tempfile.TemporaryDirectory(prefix="minilm-stress-")
        options.kept = folder  # until the end
        options.model = os.path.join(folder.name, "tiny.safetensors")
        subprocess.run([options.program, "convert", TINY_CHECKPOINT, options.model, "--name", "tiny"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return options


def command(options, *flags):
    line = [options.program, "serve", *flags]
    if options.model:
        line += ["--model", options.model]
    if options.threads:
        line += ["--threads", str(options.threads)]
    return line


def request(id, method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}, ensure_ascii=False).encode() + b"\n"


def memory(pid, field="VmRSS"):
    """Bytes; 0 when the process is gone."""
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def is_alive(pid):
    """Whether the process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_gone(pid, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not is_alive(pid):
            return True
        time.sleep(0.01)
    return not is_alive(pid)


def vector(embedding):
    """The floats of a base64 or plain embedding."""
    if isinstance(embedding, list):
        return embedding
    data = base64.b64decode(embedding, validate=True)
    return struct.unpack(f"<{len(data) // 4}f", data)


def same(a, b, tolerance=1e-5):
    a, b = vector(a), vector(b)
    return len(a) == len(b) and all(abs(x - y) <= tolerance for x, y in zip(a, b))


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, math.ceil(share * len(values)) - 1)] if values else float("nan")


def text_of_tokens(rng, count):
    """A text of `count` tokens, the special ones counted."""
    return " ".join(rng.choice(WORDS) for _ in range(count - 2))


class Engine:
    """An engine; every line of its output goes to `on_line(bytes, time)`, or into `lines` to be waited for."""

    def __init__(self, command, on_line=None, reads=True, **popen):
        self.stderr = tempfile.TemporaryFile()
        self.lines = queue.Queue()
        self.on_line = on_line or (lambda line, when: self.lines.put((line, when)))
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr, bufsize=0, **popen)
        self.pid = self.process.pid
        self.ended = threading.Event()
        self.reader = None
        if reads:
            self.read()

    def read(self):
        """Begins to read the output."""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        rest = bytearray()
        while True:
            try:
                block = os.read(self.process.stdout.fileno(), 1 << 18)
            except (OSError, ValueError):
                block = b""
            when = time.monotonic()
            if not block:
                break
            rest += block
            if b"\n" not in block:
                continue
            *lines, tail = bytes(rest).split(b"\n")
            rest = bytearray(tail)
            for line in lines:
                self.on_line(line, when)
        if rest:
            self.on_line(bytes(rest) + b"<no newline>", time.monotonic())
        self.ended.set()
        self.lines.put((None, time.monotonic()))

    def send(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.process.stdin.fileno(), view):]

    def next(self, seconds=60):
        """The next line as JSON; None at the end. Raises queue.Empty."""
        line, _ = self.lines.get(timeout=seconds)
        return None if line is None else json.loads(line)

    def call(self, method, id="call", seconds=60, **params):
        """Calls and waits; other lines that come before the answer are dropped."""
        self.send(request(id, method, **params))
        while True:
            answer = self.next(seconds)
            if answer is None:
                raise EOFError("the engine ended: " + self.errors())
            if isinstance(answer, dict) and answer.get("id") == id and "method" not in answer:
                return answer

    def rss(self):
        return memory(self.pid)

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace")

    def close(self, seconds=30):
        """Ends the input and waits; the exit status, or None when it had to be killed."""
        try:
            self.process.stdin.close()
        except OSError:
            pass
        return self.wait(seconds)

    def wait(self, seconds=30):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        if self.reader:
            self.reader.join(5)
        self.process.stdout.close()
        return status


class Memory:
    """Samples of a process's memory."""

    def __init__(self, pid):
        self.pid, self.samples = pid, []

    def sample(self):
        self.samples.append((time.monotonic(), memory(self.pid)))

    def every(self, seconds):
        def run():
            while is_alive(self.pid):
                self.sample()
                time.sleep(seconds)
        threading.Thread(target=run, daemon=True).start()
        return self

    @property
    def values(self):
        return [value for _, value in self.samples if value]

    def tenth(self, last=False):
        """The largest of the first tenth, the very first sample left out, or of the last tenth."""
        values = self.values
        count = max(1, len(values) // 10)
        return max((values[-count:] if last else values[1:1 + count]) or values or [0])


def mb(count):
    return f"{count / 1e6:.1f} MB"
