#!/usr/bin/env python3
"""Kills `minilm serve` and its hosts at random moments, closes and stalls its pipes, and checks that nothing hangs or is left behind.

    tools/stress/kills.py [--count 200] [--seed 1] [--only NAME] [--patience 1] [--program .build/release/minilm]

Each run takes one of these, in turn:
  kill-engine     kill -9 of the engine in work: the host sees the end of the output
  kill-host       kill -9 of a host in work: the engine is gone within 5 s
  kill-host-held  the same, while another process holds the pipe of the engine's input open, which so does not end
  kill-host-full  the same, while another process holds both pipes, and the one of the output is full
  close-input     the input ends in mid-work: all is answered, status 0
  close-output    nobody reads any more, in mid-work: status 0 soon, no word on stderr
  stall           nobody reads for a while, more is sent than pipes hold: all is answered once it goes on
  stall-end       nobody reads for a while, and the input ends
  stall-close     nobody reads for a while, then the output is closed
  terminate       SIGTERM in mid-work: everything accepted is answered, status 0
  terminate-idle  SIGTERM without work: status 0 at once
  terminate-twice a second SIGTERM in mid-work ends it at once
  terminate-stall SIGTERM while nobody reads: all is answered once it goes on, status 0
  stop-continue   SIGSTOP and SIGCONT in mid-work: all is answered
"""
import json, os, random, signal, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *

HOST = r"""
import json, os, subprocess, sys, threading
held, command = sys.argv[1], sys.argv[2:]
engine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
other = 0
if held != "none":
    # A process that inherited the pipes, as happens where a host does not close them on exec.
    keep = [engine.stdin.fileno()] + ([engine.stdout.fileno()] if held == "both" else [])
    other = subprocess.Popen(["sleep", "60"], pass_fds=keep, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).pid
print(engine.pid, other, flush=True)
def read():
    while held != "both" and engine.stdout.read(65536): pass
threading.Thread(target=read, daemon=True).start()
number = 0
while True:
    number += 1
    size = number % 40 * 10 + 1
    line = json.dumps({"jsonrpc": "2.0", "id": number, "method": "embed", "params": {"input": ["the quick brown fox"] * size}}) + "\n"
    rest = line.encode()
    while rest: rest = rest[engine.stdin.write(rest):]
"""
WORK = ["the quick brown fox", "hello world", "a cat", "jumped over the lazy dog"]


class Trial:
    def __init__(self, options, rng):
        self.options, self.rng, self.cleanup = options, rng, []

    def engine(self, reads=True):
        self.answers, self.texts = {}, {}
        self.engine_ = Engine(command(self.options), self.take, reads=reads)
        self.cleanup.append(self.engine_.process.kill)
        return self.engine_

    def take(self, line, when):
        try:
            answer = json.loads(line)
        except ValueError:
            self.answers["bad line"] = self.answers.get("bad line", 0) + 1
            return
        if "method" in answer:
            return
        self.answers[answer["id"]] = self.answers.get(answer["id"], 0) + 1
        self.texts[answer["id"]] = len(answer.get("result", {}).get("data", ())) if "result" in answer else answer["error"]["code"]

    def work(self, count, size, stream=False):
        """`count` requests of up to `size` texts, as one piece."""
        self.wanted = {n: self.rng.randrange(1, size + 1) for n in range(1, count + 1)}
        return b"".join(request(n, "embed", input=[self.rng.choice(WORK) for _ in range(texts)]) for n, texts in self.wanted.items())

    def check_all(self, but=()):
        problems = []
        missing = [n for n in self.wanted if self.answers.get(n) != 1]
        if missing:
            problems.append(f"{len(missing)} of {len(self.wanted)} requests not answered once, such as {missing[:3]}: {[self.answers.get(n) for n in missing[:3]]}")
        wrong = [n for n, texts in self.wanted.items() if n in self.texts and self.texts[n] != texts]
        if wrong:
            problems.append(f"wrong answers: {[(n, self.wanted[n], self.texts[n]) for n in wrong[:3]]}")
        if "bad line" in self.answers:
            problems.append("a line that is no JSON")
        return problems

    def check_end(self, status, expected=0):
        problems = [] if status == expected else [f"exit status {status}, expected {expected}"]
        errors = self.engine_.errors()
        return problems + ([f"stderr: {errors[:300]}"] if errors else [])

    def accepted(self):
        """Waits until the engine has taken in what was sent before: `info` is answered by the thread that reads."""
        self.engine_.send(request("accepted", "info"))
        end = time.monotonic() + 30
        while "accepted" not in self.answers and time.monotonic() < end:
            time.sleep(0.001)
        return [] if "accepted" in self.answers else ["info not answered"]

    # MARK: - Trials

    def kill_engine(self):
        engine = self.engine()
        data = self.work(100, 200)
        threading.Thread(target=self.send_quietly, args=(engine, data), daemon=True).start()
        time.sleep(self.rng.random() * 0.3)
        engine.process.kill()
        problems = [] if engine.ended.wait(5 * self.options.patience) else ["the output did not end"]
        status = engine.wait(5 * self.options.patience)
        return problems + ([] if status == -9 else [f"exit status {status}"])

    def send_quietly(self, engine, data):
        try:
            engine.send(data)
        except (OSError, ValueError):
            pass

    def kill_host(self, held="none"):
        errors = tempfile.TemporaryFile()
        host = subprocess.Popen([sys.executable, "-c", HOST, held, *command(self.options)], stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL)
        self.cleanup.append(host.kill)
        pids = [int(pid) for pid in host.stdout.readline().split()]
        engine, other = pids

        def end(pid):
            def run():
                if pid and is_alive(pid):
                    os.kill(pid, signal.SIGKILL)
            return run
        self.cleanup += [end(engine), end(other)]
        time.sleep(1 if held == "both" else self.rng.random() * 0.5)
        if not is_alive(engine):
            return ["the engine ended before the host"]
        host.kill()
        host.wait()
        start = time.monotonic()
        if not wait_gone(engine, 5 * self.options.patience):
            return [f"the engine lives on long after the host, {mb(memory(engine))}"]
        self.seconds = time.monotonic() - start
        errors.seek(0)
        said = errors.read().decode(errors="replace")
        return [f"stderr: {said[:300]}"] if said else []

    def kill_host_held(self):
        return self.kill_host("input")

    def kill_host_full(self):
        return self.kill_host("both")

    def close_input(self):
        engine = self.engine()
        engine.send(self.work(self.rng.randrange(1, 60), 100))
        return self.check_end(engine.close(30 * self.options.patience)) + self.check_all()

    def close_output(self):
        engine = self.engine(reads=False)
        data = self.work(200, 300)
        sender = threading.Thread(target=self.send_quietly, args=(engine, data), daemon=True)
        sender.start()
        time.sleep(self.rng.random() * 0.3)
        start = time.monotonic()
        engine.process.stdout.close()
        status = engine.wait(10 * self.options.patience)
        self.seconds = time.monotonic() - start
        return self.check_end(status) + ([] if self.seconds < 5 else [f"took {self.seconds:.1f} s"])

    def stall(self, end=False):
        engine = self.engine(reads=False)
        data = self.work(300, 100)
        sender = threading.Thread(target=self.send_quietly, args=(engine, data), daemon=True)
        sender.start()
        time.sleep(0.5 + self.rng.random())
        if end:
            sender.join(10)
            if sender.is_alive():
                return ["the input is not taken while nobody reads"]
            engine.process.stdin.close()
            time.sleep(0.3)
        engine.read()
        sender.join(30)
        if sender.is_alive():
            return ["a deadlock: the input is not taken, though the output is read"]
        return self.check_end(engine.close(30 * self.options.patience)) + self.check_all()

    def stall_end(self):
        return self.stall(end=True)

    def stall_close(self):
        engine = self.engine(reads=False)
        data = self.work(400, 300)
        threading.Thread(target=self.send_quietly, args=(engine, data), daemon=True).start()
        time.sleep(0.5 + self.rng.random())
        start = time.monotonic()
        engine.process.stdout.close()
        status = engine.wait(10 * self.options.patience)
        self.seconds = time.monotonic() - start
        return self.check_end(status) + ([] if self.seconds < 5 else [f"took {self.seconds:.1f} s"])

    def terminate(self):
        engine = self.engine()
        data = self.work(self.rng.randrange(1, 60), 300)
        threading.Thread(target=self.send_quietly, args=(engine, data), daemon=True).start()
        problems = []
        sent = self.rng.random() < 0.5
        if sent:
            time.sleep(0.05)
            problems = self.accepted()
        else:
            time.sleep(0.2 + self.rng.random() * 0.2)
        engine.process.send_signal(signal.SIGTERM)
        status = engine.wait(30 * self.options.patience)
        # What was not known to be accepted may be left unanswered, but not half.
        if not sent:
            self.wanted = {n: texts for n, texts in self.wanted.items() if n in self.answers}
        return problems + self.check_end(status) + self.check_all()

    def terminate_idle(self):
        engine = self.engine()
        engine.send(self.work(1, 1))
        end = time.monotonic() + 20
        while not self.answers and time.monotonic() < end:
            time.sleep(0.001)
        start = time.monotonic()
        engine.process.send_signal(self.rng.choice([signal.SIGTERM, signal.SIGINT]))
        status = engine.wait(10 * self.options.patience)
        self.seconds = time.monotonic() - start
        return self.check_end(status) + self.check_all() + ([] if self.seconds < 1 else [f"took {self.seconds:.1f} s"])

    def terminate_twice(self):
        engine = self.engine()
        self.wanted = {}
        line = request("long", "embed", input=[" ".join(self.rng.choices(WORDS, k=40)) for _ in range(50_000)], stream=self.rng.random() < 0.5)
        engine.send(line)
        problems = self.accepted()
        engine.process.send_signal(signal.SIGTERM)
        time.sleep(0.05 + self.rng.random() * 0.2)
        if engine.process.poll() is not None:
            return problems + ["gone with the first signal"]
        start = time.monotonic()
        engine.process.send_signal(signal.SIGTERM)
        status = engine.wait(10 * self.options.patience)
        self.seconds = time.monotonic() - start
        return problems + self.check_end(status, 128 + signal.SIGTERM) + ([] if self.seconds < 1 else [f"took {self.seconds:.1f} s"])

    def terminate_stall(self):
        engine = self.engine(reads=False)
        data = self.work(20, 100)
        engine.send(data)
        time.sleep(0.5)
        engine.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        engine.read()
        return self.check_end(engine.wait(30 * self.options.patience)) + self.check_all()

    def stop_continue(self):
        engine = self.engine()
        data = self.work(60, 100)
        sender = threading.Thread(target=self.send_quietly, args=(engine, data), daemon=True)
        sender.start()
        for _ in range(3):
            time.sleep(self.rng.random() * 0.05)
            engine.process.send_signal(signal.SIGSTOP)
            time.sleep(self.rng.random() * 0.1)
            engine.process.send_signal(signal.SIGCONT)
        sender.join(30)
        return self.check_end(engine.close(30 * self.options.patience)) + self.check_all()


NAMES = [line.split()[0] for line in __doc__.split("in turn:\n")[1].splitlines() if line.strip()]


def main():
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, default=200, help="runs in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=1, help="how many times as long a loaded machine may take")
    parser.add_argument("--only", choices=NAMES, help="this one alone")
    options = prepare(parser.parse_args())
    rng, problems, counts, slowest, start = random.Random(options.seed), [], {}, {}, time.monotonic()
    names = [options.only] if options.only else NAMES
    for number in range(options.count):
        name = names[number % len(names)]
        trial = Trial(options, rng)
        trial.seconds = 0
        try:
            found = getattr(trial, name.replace("-", "_"))()
        except (OSError, ValueError, queue.Empty) as error:
            found = [f"{error!r}"]
        finally:
            for step in trial.cleanup:
                step()
        counts.setdefault(name, [0, 0])
        counts[name][0] += 1
        counts[name][1] += bool(found)
        slowest[name] = max(slowest.get(name, 0), trial.seconds)
        for problem in found:
            problems.append(f"{name} (run {number + 1}): {problem}")
            progress("PROBLEM: " + problems[-1])
        if (number + 1) % 20 == 0:
            progress(f"{number + 1} runs, {len(problems)} problems, {time.monotonic() - start:.0f} s")
    figures = ", ".join(f"{name} {good - bad}/{good}" + (f" (slowest {slowest[name]:.2f} s)" if slowest[name] else "") for name, (good, bad) in counts.items())
    print(f"kills: {options.count} runs, {len(problems)} problems, {time.monotonic() - start:.0f} s; {figures}")
    sys.exit(1 if problems else 0)


main()
