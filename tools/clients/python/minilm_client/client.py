"""The client for threads."""

from __future__ import annotations

import concurrent.futures
import queue
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, Union, overload

from . import _base
from ._base import ClientBase, Count, Plan, Tokens
from ._batches import Batch, batches
from ._embeddings import Array, Embeddings, StreamCollector
from ._options import EmbedOptions, Limits, StreamOptions, limits, wire_params
from ._transport import Call
from .errors import deadline_error

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

Items = list[dict[str, Any]]


class Client(ClientBase):
    """Embeds texts with an engine of its own. Any number of threads may use one client."""

    def embed(self, texts: Union[str, Sequence[str]], **options: Unpack[EmbedOptions]) -> Array:
        """The vectors of texts, [N, H], or of one text, [H]; float32 unless `precision` says otherwise.

        Options: see `EmbedOptions`. Throws `TextErrors` (`RequestError` for one text), and the other errors of
        `minilm_client.errors`.
        """
        return _base.vectors(self.embed_detailed(texts, **options), isinstance(texts, str))

    def embed_detailed(self, texts: Union[str, Sequence[str]], **options: Unpack[EmbedOptions]) -> Embeddings:
        """As `embed`, with token counts, truncation, scales and errors; one text is an array of one."""
        listed = _base.listed(texts)
        collector = _base.collector(len(listed), options)
        ends = limits(options.get("timeout"), options.get("deadline_ms"))
        self._gather("embed", listed, wire_params(options), ends, collector.add)
        embeddings = collector.finish()
        if not embeddings.vectors.size:
            embeddings = collector.finish(_base.width(options, self.info()))
        return _base.checked(embeddings, isinstance(texts, str), options)

    def stream(self, texts: Iterable[str], **options: Unpack[StreamOptions]) -> Iterator[tuple[int, Array]]:
        """(position, vector) pairs as they are computed, in no particular order. Reads `texts` no further than needed.

        Throws `TextErrors` after the last pair if texts failed. Closing the iterator cancels what is under way.
        """
        collector = StreamCollector(_base.precision(options))
        params = {**wire_params(options), "stream": True}
        ends = limits(options.get("timeout"), options.get("deadline_ms"))
        inbox: queue.SimpleQueue[tuple[int, Optional[Items]]] = queue.SimpleQueue()
        under_way: dict[int, tuple[Batch, set[int], Call]] = {}
        source = enumerate(batches(texts, self.settings))
        try:
            exhausted = False
            while True:
                while not exhausted and len(under_way) < self.settings.max_requests:
                    number, batch = next(source, (-1, Batch()))
                    exhausted = number < 0
                    collector.errors.update(batch.errors)
                    if batch.texts:
                        call = self._stream_call(number, batch, params, ends, inbox)
                        under_way[number] = (batch, set(batch.positions), call)
                if not under_way:
                    break
                try:
                    number, items = inbox.get(timeout=ends.remaining())
                except queue.Empty:
                    raise deadline_error() from None
                batch, missing, call = under_way[number]
                if items is None:
                    items = call.future.result().get("data", [])
                    del under_way[number]
                yield from collector.add(batch, missing, items)
        finally:
            for _, _, call in under_way.values():
                self._transport.cancel(call)
        collector.finish()

    def _stream_call(
        self, number: int, batch: Batch, params: dict[str, Any], ends: Limits, inbox: queue.SimpleQueue[Any]
    ) -> Call:
        call = self._transport.submit(
            "embed", {**params, "input": batch.texts}, lambda items: inbox.put((number, items)), ends.deadline
        )
        call.future.add_done_callback(lambda _: inbox.put((number, None)))
        return call

    @overload
    def tokenize(  # type: ignore[overload-overlap]
        self, texts: str, *, truncate: bool = ..., max_tokens: Optional[int] = ..., timeout: Optional[float] = ...
    ) -> Tokens: ...

    @overload
    def tokenize(
        self,
        texts: Sequence[str],
        *,
        truncate: bool = ...,
        max_tokens: Optional[int] = ...,
        timeout: Optional[float] = ...,
    ) -> list[Tokens]: ...

    def tokenize(
        self,
        texts: Union[str, Sequence[str]],
        *,
        truncate: bool = False,
        max_tokens: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> Union[Tokens, list[Tokens]]:
        """Token ids, spellings and offsets of one text or several."""
        params = _base.given(truncate=truncate, max_tokens=max_tokens)
        results = [_base.tokens_of(item) for item in self._items("tokenize", texts, params, timeout)]
        return results[0] if isinstance(texts, str) else results

    @overload
    def count(  # type: ignore[overload-overlap]
        self, texts: str, *, max_tokens: Optional[int] = ..., timeout: Optional[float] = ...
    ) -> Count: ...

    @overload
    def count(
        self, texts: Sequence[str], *, max_tokens: Optional[int] = ..., timeout: Optional[float] = ...
    ) -> list[Count]: ...

    def count(
        self, texts: Union[str, Sequence[str]], *, max_tokens: Optional[int] = None, timeout: Optional[float] = None
    ) -> Union[Count, list[Count]]:
        """How many tokens one text or several have, and how many truncation would take."""
        params = _base.given(max_tokens=max_tokens)
        results = [_base.count_of(item) for item in self._items("count", texts, params, timeout)]
        return results[0] if isinstance(texts, str) else results

    def plan(
        self,
        texts: Union[str, Sequence[str], None] = None,
        *,
        lengths: Optional[Sequence[int]] = None,
        max_tokens: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> Plan:
        """What embedding texts, or texts of so many tokens, in one request would cost."""
        params = _base.given(input=texts, lengths=lengths, max_tokens=max_tokens, encoding_format="base64")
        return _base.plan_of(self.request("plan", params, timeout=timeout))

    def info(self, *, timeout: Optional[float] = None) -> dict[str, Any]:
        """Version, model, limits."""
        result: dict[str, Any] = self.request("info", timeout=timeout)
        return result

    def stats(self, *, timeout: Optional[float] = None) -> dict[str, Any]:
        """What the engine has done so far."""
        result: dict[str, Any] = self.request("stats", timeout=timeout)
        return result

    def request(self, method: str, params: Optional[dict[str, Any]] = None, *, timeout: Optional[float] = None) -> Any:
        """Any method of the engine, as it is on the wire."""
        call = self._transport.submit(method, params or {})
        try:
            return _result(call, limits(timeout))
        finally:
            self._transport.cancel(call)

    def close(self) -> None:
        """Fails what is unanswered with `ClientClosed` and ends the engine. Nothing happens the second time."""
        if self._owner is None:
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _items(
        self, method: str, texts: Union[str, Sequence[str]], params: dict[str, Any], timeout: Optional[float]
    ) -> Items:
        items: dict[int, Any] = {}

        def add(batch: Batch, data: Items) -> None:
            items.update(batch.errors)
            items.update((batch.positions[item["index"]], item) for item in data)

        self._gather(method, _base.listed(texts), params, limits(timeout), add)
        return _base.in_order(items, isinstance(texts, str))

    def _gather(
        self,
        method: str,
        texts: Iterable[str],
        params: dict[str, Any],
        ends: Limits,
        add: Callable[[Batch, Items], None],
    ) -> None:
        """Requests for all the texts, so many at a time; `add` gets each batch with the `data` of its answer."""
        under_way: deque[tuple[Batch, Call]] = deque()

        def collect() -> None:
            batch, call = under_way[0]
            add(batch, _result(call, ends)["data"])
            under_way.popleft()

        try:
            for batch in batches(texts, self.settings):
                if not batch.texts:
                    add(batch, [])
                    continue
                if len(under_way) >= self.settings.max_requests:
                    collect()
                call = self._transport.submit(method, {**params, "input": batch.texts}, deadline=ends.deadline)
                under_way.append((batch, call))
            while under_way:
                collect()
        finally:
            for _, call in under_way:
                self._transport.cancel(call)


def _result(call: Call, ends: Limits) -> Any:
    try:
        return call.future.result(ends.remaining())
    except concurrent.futures.TimeoutError:
        if call.future.done():
            return call.future.result()
        raise deadline_error() from None
