"""What `Client` and `AsyncClient` have in common: the engine's settings, and values in and out."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional, TypeVar, Union

from ._embeddings import Array, Collector, Embeddings
from ._options import EmbedOptions, Precision
from ._settings import Program, Settings
from ._transport import Transport
from .errors import RequestError, TextErrors, request_error

Self = TypeVar("Self", bound="ClientBase")


class Tokens(NamedTuple):
    """ids: vocabulary ids. tokens: their spellings. offsets: UTF-8 byte ranges in the text. dropped: tokens cut off."""

    ids: list[int]
    tokens: list[str]
    offsets: list[tuple[int, int]]
    dropped: int


class Count(NamedTuple):
    """tokens: of the whole text, [CLS] and [SEP] included. dropped: how many of them truncation would take."""

    tokens: int
    dropped: int


class Plan(NamedTuple):
    """What embedding would cost. seconds: an estimate. fits: whether `peak_bytes` is within the engine's bound."""

    texts: int
    tokens: int
    batches: int
    peak_bytes: int
    max_memory_bytes: Optional[int]
    fits: bool
    seconds: Optional[float]


class ClientBase:
    """The engine is started by the first call, or at once with `start=True`, and ends with the client or the host."""

    def __init__(
        self,
        program: Optional[Program] = None,
        *,
        model: Optional[Union[str, os.PathLike[str]]] = None,
        args: Sequence[str] = (),
        env: Optional[Mapping[str, str]] = None,
        on_stderr: Optional[Callable[[str], None]] = None,
        start: bool = False,
        settings: Optional[Settings] = None,
    ) -> None:
        """program, model, args, env, on_stderr: see `Settings`, which holds the bounds too.

        settings: all of it; the others must then be left out.
        """
        given = Settings(program=program, model=model, args=tuple(args), env=env, on_stderr=on_stderr)
        if settings is not None and given != Settings():
            raise TypeError("pass either settings or its parts")
        self._adopt(Transport(settings or given))
        # Not at exit: the transport has its own, which waits.
        weakref.finalize(self, self._transport.abandon).atexit = False
        if start:
            self._transport.start()

    def _adopt(self, transport: Transport, owner: Optional[ClientBase] = None) -> None:
        self._transport = transport
        self._owner = owner

    @classmethod
    def share(cls: type[Self], other: ClientBase) -> Self:
        """A client on the engine of another one, which stays responsible for closing it."""
        client = cls.__new__(cls)
        client._adopt(other._transport, other)
        return client

    @property
    def settings(self) -> Settings:
        return self._transport.settings

    @property
    def pid(self) -> Optional[int]:
        """The engine's process id while it runs."""
        return self._transport.pid

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy, here or in another process, has an engine of its own.
        return (_rebuild, (type(self), self.settings))


def _rebuild(cls: type[ClientBase], settings: Settings) -> ClientBase:
    return cls(settings=settings)


def listed(texts: Union[str, Sequence[str]]) -> Sequence[str]:
    if isinstance(texts, (bytes, bytearray)):
        raise TypeError("texts must be str, not bytes")
    return [texts] if isinstance(texts, str) else texts


def collector(count: int, options: EmbedOptions) -> Collector:
    if options.get("errors", "raise") not in ("raise", "return"):
        raise ValueError('errors must be "raise" or "return"')
    return Collector(count, precision(options))


def precision(options: Mapping[str, Any]) -> Precision:
    value: Precision = options.get("precision") or "float32"
    return value


def width(options: EmbedOptions, info: Mapping[str, Any]) -> int:
    """H, known before there is a vector."""
    dimensions = int(options.get("dimensions") or info["model"]["dimension"])
    return -(-dimensions // 8) if precision(options) in ("binary", "ubinary") else dimensions


def checked(embeddings: Embeddings, single: bool, options: EmbedOptions) -> Embeddings:
    if embeddings.errors and options.get("errors", "raise") == "raise":
        raise embeddings.errors[0] if single else TextErrors(embeddings.errors)
    return embeddings


def vectors(embeddings: Embeddings, single: bool) -> Array:
    result: Array = embeddings.vectors[0] if single else embeddings.vectors
    return result


def in_order(items: Mapping[int, Any], single: bool) -> list[dict[str, Any]]:
    """The items of `tokenize` and `count` by position. Throws what they hold of errors."""
    errors: dict[int, RequestError] = {}
    for position, item in items.items():
        if isinstance(item, RequestError):
            errors[position] = item
        elif "error" in item:
            errors[position] = request_error(item["error"])
    if errors:
        raise errors[0] if single else TextErrors(errors)
    return [items[position] for position in sorted(items)]


def tokens_of(item: Mapping[str, Any]) -> Tokens:
    offsets = [(start, end) for start, end in item["offsets"]]
    return Tokens(item["ids"], item["tokens"], offsets, item.get("dropped", 0))


def count_of(item: Mapping[str, Any]) -> Count:
    return Count(item["tokens"], item.get("dropped", 0))


def plan_of(result: Mapping[str, Any]) -> Plan:
    values: list[Any] = [result.get(name) for name in Plan._fields]
    return Plan(*values)


def given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
