"""Cutting any number of texts into requests of a bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ._settings import Settings
from .errors import InvalidParamsError, RequestError


@dataclass
class Batch:
    """The texts of one request.

    positions: each text's position in the caller's input, [N].
    errors: position -> error of texts that cannot be sent at all.
    """

    positions: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    size: int = 0
    errors: dict[int, RequestError] = field(default_factory=dict)


def batches(texts: Iterable[str], settings: Settings) -> Iterator[Batch]:
    """Consumes the texts only as far as needed for the next batch. Throws `TypeError` for what is no string."""
    batch = Batch()
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {position} is of type {type(text).__name__}, expected str")
        try:
            size = len(text.encode("utf-8"))
        except UnicodeEncodeError:
            batch.errors[position] = InvalidParamsError(-32602, "the text holds a lone surrogate", {"param": "input"})
            continue
        if batch.texts and (len(batch.texts) >= settings.batch_size or batch.size + size > settings.batch_bytes):
            yield batch
            batch = Batch()
        batch.positions.append(position)
        batch.texts.append(text)
        batch.size += size
    if batch.texts or batch.errors:
        yield batch
