"""One engine process and the three threads that keep its pipes moving."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from typing import IO, Callable, Optional

from .errors import EngineNotFound
from ._settings import Settings

_READ_SIZE = 1 << 18
_STDERR_LINES = 20
_STDERR_LINE_BYTES = 1000

# Held from the making of pipes until their transport knows them, and while the host forks, so that the child can
# close them.
spawn_lock = threading.Lock()


class Engine:
    """A running `minilm serve`.

    on_line is called with each line of stdout, on_exit once after the last; both from the reading thread.
    To be made with `spawn_lock` held, then begun.
    """

    def __init__(
        self,
        settings: Settings,
        on_line: Callable[[Engine, bytes], None],
        on_exit: Callable[[Engine], None],
    ) -> None:
        command = settings.command()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                close_fds=True,
                env=settings.environment(),
                # Ctrl-C in a terminal is the host's to handle; the engine ends when its input does.
                start_new_session=True,
            )
        except OSError as error:
            raise EngineNotFound(f"cannot start {command[0]}: {error.strerror}") from error
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout
        self._stderr: IO[bytes] = self._process.stderr
        self._on_line = on_line
        self._on_exit = on_exit
        self._on_stderr = settings.on_stderr
        self._log: deque[str] = deque(maxlen=_STDERR_LINES)
        self._outbox: queue.SimpleQueue[Optional[bytes]] = queue.SimpleQueue()
        self._input_closed = False
        self._threads = {
            name: threading.Thread(target=target, name=f"minilm-{name}", daemon=True)
            for name, target in (("stderr", self._drain_stderr), ("stdin", self._write), ("stdout", self._read))
        }

    def begin(self) -> None:
        """Starts the threads; nothing is called before."""
        for thread in self._threads.values():
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> Optional[int]:
        return self._process.poll()

    @property
    def stderr(self) -> str:
        """The last lines logged."""
        return "\n".join(list(self._log))

    def send(self, line: bytes) -> None:
        """Queues a line (with its newline) for stdin. Never blocks; a dead engine ignores it."""
        self._outbox.put(line)

    def close_input(self) -> None:
        """Closes stdin after what is queued; the engine then answers what it has and ends."""
        if not self._input_closed:
            self._input_closed = True
            self._outbox.put(None)

    def kill(self) -> None:
        self._process.kill()

    def stop(self, grace: float) -> None:
        """Ends the process: closes its input, then terminates, then kills it, with `grace` seconds between."""
        self.close_input()
        for force in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(grace)
                break
            except subprocess.TimeoutExpired:
                force()
        self._process.wait()
        self._threads["stdout"].join(1)

    def forget_in_child(self) -> None:
        """After a fork, in the child: closes its copies of the pipes, so that the engine sees the parent end."""
        for pipe in (self._stdin, self._stdout, self._stderr):
            pipe.close()
        self._process.returncode = 0

    def _write(self) -> None:
        while (line := self._outbox.get()) is not None:
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[self._stdin.write(rest) :]
            except (OSError, ValueError):
                break
        try:
            self._stdin.close()
        except OSError:
            pass

    def _read(self) -> None:
        for line in _lines(self._stdout):
            self._on_line(self, line)
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            # It closed its output and lives on: of no use to anyone.
            self._process.kill()
            self._process.wait()
        self._threads["stderr"].join(0.5)
        self._stdout.close()
        self.close_input()
        self._on_exit(self)

    def _drain_stderr(self) -> None:
        for line in _lines(self._stderr, _STDERR_LINE_BYTES):
            text = line.decode("utf-8", "replace")
            self._log.append(text)
            if self._on_stderr is not None:
                try:
                    self._on_stderr(text)
                except Exception:  # The host's logging must not stop the draining.
                    pass
        self._stderr.close()


def _lines(pipe: IO[bytes], limit: Optional[int] = None) -> Iterator[bytes]:
    """The lines of a raw pipe without their newlines; with a limit, the rest of a longer line is dropped."""
    parts: list[bytes] = []
    size = 0
    while True:
        try:
            block = os.read(pipe.fileno(), _READ_SIZE)
        except (OSError, ValueError):
            block = b""
        if not block:
            break
        *ends, rest = block.split(b"\n")
        for end in ends:
            parts.append(end)
            yield b"".join(parts)[:limit]
            parts, size = [], 0
        if rest and (limit is None or size < limit):
            parts.append(rest)
            size += len(rest)
    if parts:
        yield b"".join(parts)[:limit]
