"""Requests in, answers out, whatever happens to the engine: admission, retries, restarts, cancellation, shutdown.

One dispatching thread owns the queue and starts engines. It never touches a pipe (see `Engine`), so nothing blocks it.
"""

from __future__ import annotations

import atexit
import heapq
import itertools
import json
import os
import threading
import time
import weakref
from collections.abc import Iterable
from concurrent.futures import Future, InvalidStateError
from typing import Any, Callable, Optional, Union

from ._engine import Engine, spawn_lock
from ._settings import Settings
from .errors import (
    ClientClosed,
    EngineDied,
    EngineNotFound,
    MinilmError,
    OverloadedError,
    deadline_error,
    request_error,
)

Partial = Callable[[list[dict[str, Any]]], None]

_FIRST_RESTART_DELAY = 0.05
_LONGEST_DELAY = 2.0
# After "overloaded", one more request at once is tried after so many answers for each that was under way.
_PATIENCE = 8


class Call:
    """One request and the future of its result."""

    def __init__(
        self, number: int, method: str, params: dict[str, Any], on_partial: Optional[Partial], deadline: Optional[float]
    ) -> None:
        self.number = number
        self.priority = int(params.get("priority", 0))
        self.future: Future[Any] = Future()
        self.on_partial = on_partial
        self.deadline = deadline
        self.attempts = 0
        self.retries = 0
        self.alone = False
        self._method = method
        self._params = json.dumps(params, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        self.size = len(self._params) + 100

    def __lt__(self, other: Call) -> bool:
        return (-self.priority, self.number) < (-other.priority, other.number)

    def line(self, now: float) -> bytes:
        params = self._params
        if self.deadline is not None:
            comma = b"," if len(params) > 2 else b""
            params = params[:-1] + comma + b'"deadline_ms":%d}' % max(0, round((self.deadline - now) * 1000))
        return b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}\n' % (self.number, self._method.encode(), params)

    def resolve(self, outcome: Union[MinilmError, Any]) -> None:
        """Sets the future, unless it is cancelled. Runs its callbacks, so never called with the lock held."""
        try:
            if isinstance(outcome, MinilmError):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)
        except InvalidStateError:
            pass


class Transport:
    """The queue in front of the current engine. Any thread may call; only `close` waits for the engine."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        with spawn_lock:
            _transports.add(self)
        self._reset()

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._waiting: list[Call] = []
        self._flight: dict[int, Call] = {}
        self._flight_bytes = 0
        self._window = float(self.settings.max_requests)
        self._engine: Optional[Engine] = None
        self._dispatcher: Optional[threading.Thread] = None
        self._closed = False
        self._deaths = 0
        self._death_reason = ""
        self._restart_at = 0.0
        self._resume_at = 0.0
        self._heard_at = 0.0

    @property
    def pid(self) -> Optional[int]:
        engine = self._engine
        return None if engine is None else engine.pid

    def submit(
        self,
        method: str,
        params: dict[str, Any],
        on_partial: Optional[Partial] = None,
        deadline: Optional[float] = None,
    ) -> Call:
        """Queues a request. deadline: a `time.monotonic()`, told to the engine as what then remains of it."""
        call = Call(next(self._numbers), method, params, on_partial, deadline)
        with self._changed:
            if self._closed:
                raise ClientClosed("the client is closed")
            heapq.heappush(self._waiting, call)
            self._start_dispatcher()
            # Usually there is room: saves a change of threads.
            expired = self._send_waiting(time.monotonic())
            self._changed.notify_all()
        _resolve_all(expired, deadline_error())
        return call

    def start(self) -> None:
        """Starts an engine now. Throws `EngineNotFound`."""
        self._spawn()
        with self._changed:
            self._start_dispatcher()

    def cancel(self, call: Call) -> None:
        """Takes a request back: out of the queue, or by telling the engine. A finished one is left as it is."""
        with self._changed:
            if call in self._waiting:
                self._waiting.remove(call)
                heapq.heapify(self._waiting)
            elif call.number in self._flight and self._engine is not None:
                self._engine.send(_cancellation(call))
        call.future.cancel()

    def abandon(self) -> None:
        """Begins to close, and returns at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """Fails what is unanswered with `ClientClosed` and ends the engine, within twice `close_timeout`."""
        self.abandon()
        dispatcher = self._dispatcher
        if dispatcher is not None and dispatcher is not threading.current_thread():
            dispatcher.join(2 * self.settings.close_timeout + 3)

    def after_fork_in_child(self) -> None:
        """The engine stays the parent's; this process gets its own with its first request."""
        engine, closed = self._engine, self._closed
        if engine is not None:
            engine.forget_in_child()
        self._reset()
        self._closed = closed

    # The dispatching thread.

    def _start_dispatcher(self) -> None:
        if self._dispatcher is None:
            self._dispatcher = threading.Thread(target=self._dispatch, name="minilm-dispatch", daemon=True)
            self._dispatcher.start()

    def _dispatch(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    break
                now = time.monotonic()
                spawning = self._needs_engine(now)
                expired = self._send_waiting(now)
                if not spawning and not expired:
                    self._changed.wait(self._seconds_to_next_event(now))
            _resolve_all(expired, deadline_error())
            if spawning:
                try:
                    self._spawn()
                except EngineNotFound as error:
                    with self._changed:
                        failed, self._waiting = self._waiting, []
                    _resolve_all(failed, error)
        self._shut_down()

    def _needs_engine(self, now: float) -> bool:
        return self._engine is None and bool(self._waiting) and now >= max(self._restart_at, self._resume_at)

    def _spawn(self) -> None:
        with spawn_lock:
            engine = Engine(self.settings, self._on_line, self._on_exit)
            with self._changed:
                self._engine = engine
        engine.begin()

    def _send_waiting(self, now: float) -> list[Call]:
        """Sends what may be sent; returns what is too late for it."""
        expired: list[Call] = []
        engine = self._engine
        if engine is None or now < self._resume_at:
            return expired
        while self._waiting and self._admits(self._waiting[0]):
            call = heapq.heappop(self._waiting)
            if call.future.done():
                continue
            if call.deadline is not None and call.deadline <= now:
                expired.append(call)
                continue
            if not self._flight:
                self._heard_at = now
            call.alone = self._goes_alone(call)
            call.attempts += 1
            self._flight[call.number] = call
            self._flight_bytes += call.size
            engine.send(call.line(now))
        return expired

    def _goes_alone(self, call: Call) -> bool:
        """The last attempt is made alone: a request that kills engines must not take others with it."""
        return 0 < call.attempts == self.settings.max_attempts - 1

    def _admits(self, call: Call) -> bool:
        if not self._flight:
            return True
        return (
            not self._goes_alone(call)
            and not any(other.alone for other in self._flight.values())
            and len(self._flight) < int(self._window)
            and self._flight_bytes + call.size <= self.settings.max_bytes
        )

    def _seconds_to_next_event(self, now: float) -> Optional[float]:
        times: list[float] = []
        if self._waiting:
            times += [at for at in (self._resume_at, self._restart_at if self._engine is None else 0.0) if at > now]
        stall = self.settings.stall_timeout
        if stall is not None and self._flight and self._engine is not None:
            if now >= self._heard_at + stall:
                self._death_reason = f"the engine was silent for {stall:g} s and was killed"
                self._engine.kill()
            else:
                times.append(self._heard_at + stall)
        return min(times) - now if times else None

    def _shut_down(self) -> None:
        with self._changed:
            engine, self._engine = self._engine, None
            unanswered = [*self._flight.values(), *self._waiting]
            if engine is not None:
                for call in self._flight.values():
                    engine.send(_cancellation(call))
            self._flight.clear()
            self._waiting.clear()
        _resolve_all(unanswered, ClientClosed("the client was closed"))
        if engine is not None:
            engine.stop(self.settings.close_timeout)

    # Called from the engine's reading thread.

    def _on_line(self, engine: Engine, line: bytes) -> None:
        if not line.strip():
            return
        try:
            message = json.loads(line)
            if "method" in message:
                self._on_notification(message)
            else:
                self._on_answer(engine, message)
        except Exception as error:  # Whatever it wrote, this thread must go on reading.
            with self._changed:
                self._death_reason = f"the engine wrote a line that is no JSON-RPC message ({type(error).__name__})"
            engine.kill()

    def _on_notification(self, message: dict[str, Any]) -> None:
        with self._changed:
            self._heard_at = time.monotonic()
            params = message.get("params")
            if message["method"] != "embed/partial" or not isinstance(params, dict):
                return
            call = self._flight.get(params.get("id", 0))
        if call is not None and call.on_partial is not None and not call.future.done():
            call.on_partial(params.get("data", []))

    def _on_answer(self, engine: Engine, message: dict[str, Any]) -> None:
        error = None if message.get("error") is None else request_error(message["error"])
        with self._changed:
            now = self._heard_at = time.monotonic()
            number = message.get("id")
            if number is None and error is not None and error.code == -32002 and self._flight:
                # A line over the engine's limit has no readable id; it can only be the longest.
                number = max(self._flight.values(), key=lambda call: call.size).number
            if number is None:
                self._death_reason = f"the engine could not read a request: {error}"
                engine.kill()
                return
            call = self._flight.pop(number, None)
            if call is None:
                return
            self._deaths = 0
            self._flight_bytes -= call.size
            if isinstance(error, OverloadedError) and call.retries < self.settings.max_retries:
                self._retry(call, now, error.data)
                call = None
            else:
                self._window = min(float(self.settings.max_requests), self._window + 1 / (_PATIENCE * self._window))
            self._changed.notify_all()
        if call is not None:
            call.resolve(message.get("result") if error is None else error)

    def _retry(self, call: Call, now: float, data: Any) -> None:
        """Sends nothing for as long as the engine asks, and then no more at once than it has just borne."""
        milliseconds = data.get("retry_after_ms") if isinstance(data, dict) else None
        delay = milliseconds / 1000 if isinstance(milliseconds, (int, float)) else 0.1
        self._resume_at = now + min(max(delay, 0.001), _LONGEST_DELAY)
        self._window = float(max(1, len(self._flight)))
        call.retries += 1
        call.attempts -= 1
        if not call.future.done():
            heapq.heappush(self._waiting, call)

    def _on_exit(self, engine: Engine) -> None:
        with self._changed:
            if self._engine is not engine:
                return
            self._engine = None
            code = engine.returncode
            error = EngineDied(self._death_reason or f"the engine ended with status {code}", code, engine.stderr)
            self._death_reason = ""
            sent = list(self._flight.values())
            self._flight.clear()
            self._flight_bytes = 0
            failed = []
            if sent or code != 0:
                self._deaths += 1
                self._restart_at = time.monotonic() + min(
                    _FIRST_RESTART_DELAY * 2 ** (self._deaths - 1), _LONGEST_DELAY
                )
            for call in sent:
                if call.attempts >= self.settings.max_attempts:
                    failed.append(call)
                elif not call.future.done():
                    heapq.heappush(self._waiting, call)
            if self._deaths >= 2 * self.settings.max_attempts:
                failed += self._waiting
                self._waiting = []
            self._changed.notify_all()
        _resolve_all(failed, error)


def _cancellation(call: Call) -> bytes:
    return b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%d}}\n' % call.number


def _resolve_all(calls: Iterable[Call], error: MinilmError) -> None:
    for call in calls:
        call.resolve(error)


_transports: weakref.WeakSet[Transport] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    transports = list(_transports)
    for transport in transports:
        transport.abandon()
    for transport in transports:
        transport.close()


def _after_fork_in_child() -> None:
    spawn_lock.release()
    for transport in list(_transports):
        transport.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=spawn_lock.acquire, after_in_parent=spawn_lock.release, after_in_child=_after_fork_in_child
    )
