"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, Union, overload

from . import _base
from ._base import ClientBase, Count, Plan, Tokens
from ._batches import Batch, batches
from ._embeddings import Array, Embeddings, StreamCollector
from ._options import EmbedOptions, Limits, StreamOptions, limits, wire_params
from ._transport import Call
from .errors import DeadlineError, deadline_error

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

Items = list[dict[str, Any]]


class AsyncClient(ClientBase):
    """As `Client`, for any number of tasks, on any event loop. Cancelling a task cancels its requests."""

    async def embed(self, texts: Union[str, Sequence[str]], **options: Unpack[EmbedOptions]) -> Array:
        """The vectors of texts, [N, H], or of one text, [H]; float32 unless `precision` says otherwise.

        Options: see `EmbedOptions`. Throws `TextErrors` (`RequestError` for one text), and the other errors of
        `minilm_client.errors`.
        """
        return _base.vectors(await self.embed_detailed(texts, **options), isinstance(texts, str))

    async def embed_detailed(self, texts: Union[str, Sequence[str]], **options: Unpack[EmbedOptions]) -> Embeddings:
        """As `embed`, with token counts, truncation, scales and errors; one text is an array of one."""
        listed = _base.listed(texts)
        collector = _base.collector(len(listed), options)
        ends = limits(options.get("timeout"), options.get("deadline_ms"))
        await self._gather("embed", listed, wire_params(options), ends, collector.add)
        embeddings = collector.finish()
        if not embeddings.vectors.size:
            embeddings = collector.finish(_base.width(options, await self.info()))
        return _base.checked(embeddings, isinstance(texts, str), options)

    async def stream(self, texts: Iterable[str], **options: Unpack[StreamOptions]) -> AsyncIterator[tuple[int, Array]]:
        """(position, vector) pairs as they are computed, in no particular order. Reads `texts` no further than needed.

        Throws `TextErrors` after the last pair if texts failed. Closing the iterator cancels what is under way.
        """
        collector = StreamCollector(_base.precision(options))
        params = {**wire_params(options), "stream": True}
        ends = limits(options.get("timeout"), options.get("deadline_ms"))
        inbox: asyncio.Queue[tuple[int, Optional[Items]]] = asyncio.Queue()
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
                    number, items = await asyncio.wait_for(inbox.get(), ends.remaining())
                except asyncio.TimeoutError as error:
                    if isinstance(error, DeadlineError):
                        raise
                    raise deadline_error() from None
                batch, missing, call = under_way[number]
                if items is None:
                    items = call.future.result().get("data", [])
                    del under_way[number]
                for pair in collector.add(batch, missing, items):
                    yield pair
        finally:
            for _, _, call in under_way.values():
                self._transport.cancel(call)
        collector.finish()

    def _stream_call(
        self, number: int, batch: Batch, params: dict[str, Any], ends: Limits, inbox: asyncio.Queue[Any]
    ) -> Call:
        loop = asyncio.get_running_loop()

        def post(items: Optional[Items]) -> None:
            try:
                loop.call_soon_threadsafe(inbox.put_nowait, (number, items))
            except RuntimeError:
                pass  # The loop is closed; nobody waits any more.

        call = self._transport.submit("embed", {**params, "input": batch.texts}, post, ends.deadline)
        call.future.add_done_callback(lambda _: post(None))
        return call

    @overload
    async def tokenize(  # type: ignore[overload-overlap]
        self, texts: str, *, truncate: bool = ..., max_tokens: Optional[int] = ..., timeout: Optional[float] = ...
    ) -> Tokens: ...

    @overload
    async def tokenize(
        self,
        texts: Sequence[str],
        *,
        truncate: bool = ...,
        max_tokens: Optional[int] = ...,
        timeout: Optional[float] = ...,
    ) -> list[Tokens]: ...

    async def tokenize(
        self,
        texts: Union[str, Sequence[str]],
        *,
        truncate: bool = False,
        max_tokens: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> Union[Tokens, list[Tokens]]:
        """Token ids, spellings and offsets of one text or several."""
        params = _base.given(truncate=truncate, max_tokens=max_tokens)
        results = [_base.tokens_of(item) for item in await self._items("tokenize", texts, params, timeout)]
        return results[0] if isinstance(texts, str) else results

    @overload
    async def count(  # type: ignore[overload-overlap]
        self, texts: str, *, max_tokens: Optional[int] = ..., timeout: Optional[float] = ...
    ) -> Count: ...

    @overload
    async def count(
        self, texts: Sequence[str], *, max_tokens: Optional[int] = ..., timeout: Optional[float] = ...
    ) -> list[Count]: ...

    async def count(
        self, texts: Union[str, Sequence[str]], *, max_tokens: Optional[int] = None, timeout: Optional[float] = None
    ) -> Union[Count, list[Count]]:
        """How many tokens one text or several have, and how many truncation would take."""
        params = _base.given(max_tokens=max_tokens)
        results = [_base.count_of(item) for item in await self._items("count", texts, params, timeout)]
        return results[0] if isinstance(texts, str) else results

    async def plan(
        self,
        texts: Union[str, Sequence[str], None] = None,
        *,
        lengths: Optional[Sequence[int]] = None,
        max_tokens: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> Plan:
        """What embedding texts, or texts of so many tokens, in one request would cost."""
        params = _base.given(input=texts, lengths=lengths, max_tokens=max_tokens, encoding_format="base64")
        return _base.plan_of(await self.request("plan", params, timeout=timeout))

    async def info(self, *, timeout: Optional[float] = None) -> dict[str, Any]:
        """Version, model, limits."""
        result: dict[str, Any] = await self.request("info", timeout=timeout)
        return result

    async def stats(self, *, timeout: Optional[float] = None) -> dict[str, Any]:
        """What the engine has done so far."""
        result: dict[str, Any] = await self.request("stats", timeout=timeout)
        return result

    async def request(
        self, method: str, params: Optional[dict[str, Any]] = None, *, timeout: Optional[float] = None
    ) -> Any:
        """Any method of the engine, as it is on the wire."""
        call = self._transport.submit(method, params or {})
        try:
            return await _result(call, limits(timeout))
        finally:
            self._transport.cancel(call)

    async def close(self) -> None:
        """Fails what is unanswered with `ClientClosed` and ends the engine. Nothing happens the second time."""
        if self._owner is None:
            await asyncio.to_thread(self._transport.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _items(
        self, method: str, texts: Union[str, Sequence[str]], params: dict[str, Any], timeout: Optional[float]
    ) -> Items:
        items: dict[int, Any] = {}

        def add(batch: Batch, data: Items) -> None:
            items.update(batch.errors)
            items.update((batch.positions[item["index"]], item) for item in data)

        await self._gather(method, _base.listed(texts), params, limits(timeout), add)
        return _base.in_order(items, isinstance(texts, str))

    async def _gather(
        self,
        method: str,
        texts: Iterable[str],
        params: dict[str, Any],
        ends: Limits,
        add: Callable[[Batch, Items], None],
    ) -> None:
        """Requests for all the texts, so many at a time; `add` gets each batch with the `data` of its answer."""
        under_way: deque[tuple[Batch, Call]] = deque()

        async def collect() -> None:
            batch, call = under_way[0]
            add(batch, (await _result(call, ends))["data"])
            under_way.popleft()

        try:
            for batch in batches(texts, self.settings):
                if not batch.texts:
                    add(batch, [])
                    continue
                if len(under_way) >= self.settings.max_requests:
                    await collect()
                call = self._transport.submit(method, {**params, "input": batch.texts}, deadline=ends.deadline)
                under_way.append((batch, call))
            while under_way:
                await collect()
        finally:
            for _, call in under_way:
                self._transport.cancel(call)


async def _result(call: Call, ends: Limits) -> Any:
    try:
        return await asyncio.wait_for(asyncio.wrap_future(call.future), ends.remaining())
    except asyncio.TimeoutError as error:
        if isinstance(error, DeadlineError):
            raise
        raise deadline_error() from None
