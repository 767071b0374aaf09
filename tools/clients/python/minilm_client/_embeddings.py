"""From the `data` of answers to arrays.

Shapes: N texts, H elements of a vector (after `dimensions`; a byte holds 8 of them in the binary precisions).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from ._batches import Batch
from ._options import Precision
from .errors import MinilmError, RequestError, TextErrors, request_error

Array = npt.NDArray[Any]

_DTYPES: dict[str, str] = {"float32": "<f4", "int8": "i1", "uint8": "u1", "binary": "i1", "ubinary": "u1"}


@dataclass
class Embeddings:
    """What `embed_detailed` returns.

    vectors: [N, H], C order; a failed text's row is NaN (0 in integer precisions).
    tokens: [N] int64, tokens computed for each text. truncated: [N] bool, whether it was cut.
    scales: [N] float32, what to multiply an int8 vector (a uint8 one after subtracting 128) with; else None.
    errors: position of a failed text -> its error.
    """

    vectors: Array
    tokens: npt.NDArray[np.int64]
    truncated: npt.NDArray[np.bool_]
    scales: Optional[npt.NDArray[np.float32]]
    errors: dict[int, RequestError] = field(default_factory=dict)


class Collector:
    """Puts the items of answers, in whatever order they come, where they belong."""

    def __init__(self, count: int, precision: Precision) -> None:
        self._count = count
        self._dtype = dtype_of(precision)
        self._vectors: Optional[Array] = None
        self._tokens = np.zeros(count, np.int64)
        self._truncated = np.zeros(count, np.bool_)
        self._scales = np.full(count, np.nan, np.float32) if precision in ("int8", "uint8") else None
        self._errors: dict[int, RequestError] = {}

    def add(self, batch: Batch, items: Iterable[dict[str, Any]]) -> None:
        self._errors.update(batch.errors)
        missing = set(batch.positions)
        for position, item in _placed(batch, items):
            missing.discard(position)
            if "error" in item:
                self._errors[position] = request_error(item["error"])
                continue
            vector = decode(item["embedding"], self._dtype)
            if self._vectors is None:
                self._vectors = self._rows(vector.size)
            self._vectors[position] = vector
            self._tokens[position] = item.get("tokens", 0)
            self._truncated[position] = item.get("truncated", False)
            if self._scales is not None:
                self._scales[position] = item.get("scale", np.nan)
        if missing:
            raise MinilmError(f"the engine answered without {len(missing)} of the texts")

    def finish(self, width: int = 0) -> Embeddings:
        """width: H to assume where no vector tells it."""
        vectors = self._rows(width) if self._vectors is None else self._vectors
        return Embeddings(vectors, self._tokens, self._truncated, self._scales, self._errors)

    def _rows(self, width: int) -> Array:
        fill = np.nan if self._dtype.kind == "f" else 0
        return np.full((self._count, width), fill, self._dtype)


class StreamCollector:
    """The (position, vector) pairs of a stream, each position once, also if a request was sent twice."""

    def __init__(self, precision: Precision) -> None:
        self._dtype = dtype_of(precision)
        self.errors: dict[int, RequestError] = {}

    def add(self, batch: Batch, missing: set[int], items: Iterable[dict[str, Any]]) -> Iterator[tuple[int, Array]]:
        """missing: the batch's positions not seen yet; those seen now are taken out."""
        for position, item in _placed(batch, items):
            if position not in missing:
                continue
            missing.discard(position)
            if "error" in item:
                self.errors[position] = request_error(item["error"])
            else:
                yield position, decode(item["embedding"], self._dtype).copy()

    def finish(self) -> None:
        """Throws `TextErrors` for the texts that were not yielded."""
        if self.errors:
            raise TextErrors(self.errors)


def dtype_of(precision: Precision) -> np.dtype[Any]:
    if precision not in _DTYPES:
        raise ValueError(f"precision must be one of {', '.join(_DTYPES)}")
    return np.dtype(_DTYPES[precision])


def _placed(batch: Batch, items: Iterable[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for item in items:
        yield batch.positions[item["index"]], item


def decode(embedding: str, dtype: np.dtype[Any]) -> Array:
    """A vector from base64, [H]; read-only."""
    return np.frombuffer(base64.b64decode(embedding), dtype)
