"""The exceptions of the client. All derive from `MinilmError`; none holds a text that was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional


class MinilmError(Exception):
    """Base class of everything this package raises on purpose."""


class ClientClosed(MinilmError):
    """The client was closed before the call could be answered."""


class EngineDied(MinilmError):
    """The engine ended, and restarting it did not help within the bounds.

    returncode: exit status; negative for a signal; None if it never started.
    stderr: the last lines it logged.
    """

    def __init__(self, reason: str, returncode: Optional[int] = None, stderr: str = "") -> None:
        super().__init__(reason, returncode, stderr)
        self.reason = reason
        self.returncode = returncode
        self.stderr = stderr

    def __str__(self) -> str:
        return f"{self.reason}\n{self.stderr}" if self.stderr else self.reason


class EngineNotFound(EngineDied):
    """There is no such program, or it cannot be executed."""


class RequestError(MinilmError):
    """The engine's answer to a request, or to one of its texts, was an error.

    code, message, data: as in the JSON-RPC error object.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


class InvalidParamsError(RequestError):
    """-32602: a parameter is unknown or out of range; `data["param"]` names it."""


class OverloadedError(RequestError):
    """-32001: the engine's queue stayed full through all retries."""


class TooLargeError(RequestError):
    """-32002: a request exceeds a limit; `data["limit"]` names it."""


class TextTooLongError(RequestError):
    """-32003: the text is longer than the model's window and `truncate` is false."""


class MemoryLimitError(RequestError):
    """-32004: the request would need more memory than the engine may use."""


class DeadlineError(RequestError, TimeoutError):
    """-32005: `deadline_ms` or `timeout` passed before the answer."""


class RequestCancelled(RequestError):
    """-32800: the request was cancelled."""


class TextErrors(MinilmError):
    """Some texts of a call could not be embedded; the others could.

    errors: position in the input -> its error.
    """

    def __init__(self, errors: Mapping[int, RequestError]) -> None:
        super().__init__(dict(errors))
        self.errors: dict[int, RequestError] = dict(errors)

    @property
    def indices(self) -> list[int]:
        return sorted(self.errors)

    def __str__(self) -> str:
        first = self.indices[0]
        return f"{len(self.errors)} of the texts failed; the first is {first}: {self.errors[first]}"


_BY_CODE: dict[int, type[RequestError]] = {
    -32602: InvalidParamsError,
    -32001: OverloadedError,
    -32002: TooLargeError,
    -32003: TextTooLongError,
    -32004: MemoryLimitError,
    -32005: DeadlineError,
    -32800: RequestCancelled,
}


def request_error(error: Mapping[str, Any]) -> RequestError:
    """The exception for a JSON-RPC error object."""
    code = int(error.get("code", -32603))
    message = str(error.get("message", "error"))
    return _BY_CODE.get(code, RequestError)(code, message, error.get("data"))


def deadline_error() -> DeadlineError:
    return DeadlineError(-32005, "no answer within the time given")
