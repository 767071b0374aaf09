"""How a client finds, starts and drives its engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional, Union

from .errors import EngineNotFound

Program = Union[str, "os.PathLike[str]", Sequence[str]]


@dataclass(frozen=True)
class Settings:
    """The engine and the bounds of its use; each has a default that suits an application.

    program: path of the engine, or a whole command line as a sequence. Default: $MINILM, else `minilm` on PATH.
    model: model file. Default: $MINILM_MODEL, else the engine's own.
    args: further arguments of `minilm serve`, for example `("--threads", "2")`.
    env: environment variables set for the engine besides the inherited ones.
    on_stderr: called from a thread of the client with each line the engine logs.
    batch_size: most texts in one request.
    batch_bytes: most UTF-8 bytes of texts in one request (a longer text goes alone).
    max_requests: most requests sent and not yet answered.
    max_bytes: most bytes of them (a larger request goes alone).
    max_attempts: how often a request is sent to engines that die before answering it.
    max_retries: how often a request is sent again after "overloaded".
    stall_timeout: seconds of silence, while requests wait, after which the engine is killed and replaced; None: never.
    close_timeout: seconds an engine gets to end by itself, then again after SIGTERM, before SIGKILL.
    """

    program: Optional[Program] = None
    model: Optional[Union[str, "os.PathLike[str]"]] = None
    args: Sequence[str] = ()
    env: Optional[Mapping[str, str]] = None
    on_stderr: Optional[Callable[[str], None]] = None
    batch_size: int = 64
    batch_bytes: int = 1 << 20
    max_requests: int = 8
    max_bytes: int = 8 << 20
    max_attempts: int = 3
    max_retries: int = 50
    stall_timeout: Optional[float] = 120.0
    close_timeout: float = 2.0

    def __post_init__(self) -> None:
        for name in ("batch_size", "batch_bytes", "max_requests", "max_bytes", "max_attempts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")

    def command(self) -> list[str]:
        """The engine's command line. Throws `EngineNotFound`."""
        program = self.program or os.environ.get("MINILM") or shutil.which("minilm")
        if program is None:
            raise EngineNotFound("minilm is not on PATH; set MINILM or pass program=")
        prefix = [os.fspath(program)] if isinstance(program, (str, os.PathLike)) else list(program)
        model = [] if self.model is None else ["--model", os.fspath(self.model)]
        return [*prefix, "serve", *model, *self.args]

    def environment(self) -> Optional[dict[str, str]]:
        return None if self.env is None else {**os.environ, **self.env}
