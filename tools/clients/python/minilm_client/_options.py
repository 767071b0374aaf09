"""The keyword arguments of `embed` and `stream`, and what they are on the wire."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal, Optional, TypedDict

from .errors import deadline_error

Precision = Literal["float32", "int8", "uint8", "binary", "ubinary"]
Errors = Literal["raise", "return"]

# With `deadline_ms` the engine answers by itself; one that does not is given up this much later, in seconds.
_DEADLINE_GRACE = 1.0


class StreamOptions(TypedDict, total=False):
    """Options of `stream` and `embed`; what is not given is as the engine has it.

    dimensions: keep the first so many elements, then normalize (for models trained for that).
    normalize: unit length, true by default for models that normalize.
    truncate: cut what exceeds `max_tokens` (true), or make it an error of the text (false).
    truncation_direction: which end is cut off.
    max_tokens: the window, [CLS] and [SEP] included.
    prompt: put before each text.
    precision: element type; see README.
    priority: -100...100, higher first.
    deadline_ms: the engine gives up what it has not computed by then.
    timeout: seconds after which the call is cancelled and `DeadlineError` raised.
    """

    dimensions: int
    normalize: bool
    truncate: bool
    truncation_direction: Literal["right", "left"]
    max_tokens: int
    prompt: str
    precision: Precision
    priority: int
    deadline_ms: int
    timeout: Optional[float]


class EmbedOptions(StreamOptions, total=False):
    """Options of `embed`.

    errors: "raise" `TextErrors` if texts fail, or "return" NaN rows for them (0 in integer precisions).
    """

    errors: Errors


@dataclass
class Limits:
    """When a call has to be over, as `time.monotonic()`.

    give_up: the client cancels what is unanswered. deadline: the engine gives up.
    """

    give_up: Optional[float]
    deadline: Optional[float]

    def remaining(self) -> Optional[float]:
        """Seconds until `give_up`. Throws `DeadlineError`."""
        if self.give_up is None:
            return None
        seconds = self.give_up - time.monotonic()
        if seconds <= 0:
            raise deadline_error()
        return seconds


def limits(timeout: Optional[float] = None, deadline_ms: Optional[int] = None) -> Limits:
    now = time.monotonic()
    deadline = None if deadline_ms is None else now + deadline_ms / 1000
    ends = [] if timeout is None else [now + timeout]
    if deadline is not None:
        ends.append(deadline + _DEADLINE_GRACE)
    return Limits(min(ends, default=None), deadline)


def wire_params(options: StreamOptions) -> dict[str, Any]:
    """The parameters of the request besides its input; what is None counts as not given."""
    unknown = options.keys() - _KNOWN
    if unknown:
        raise TypeError(f"unknown option: {', '.join(sorted(unknown))}")
    params = {key: value for key, value in options.items() if key not in _LOCAL and value is not None}
    return {**params, "encoding_format": "base64"}


_KNOWN = {*StreamOptions.__annotations__, *EmbedOptions.__annotations__}
_LOCAL = {"deadline_ms", "timeout", "errors"}
