"""Client of the minilm embedding engine: texts in, numpy arrays out."""

from ._base import Count, Plan, Tokens
from ._embeddings import Embeddings
from ._options import EmbedOptions, Errors, Precision, StreamOptions
from ._settings import Settings
from .aio import AsyncClient
from .client import Client
from .errors import (
    ClientClosed,
    DeadlineError,
    EngineDied,
    EngineNotFound,
    InvalidParamsError,
    MemoryLimitError,
    MinilmError,
    OverloadedError,
    RequestCancelled,
    RequestError,
    TextErrors,
    TextTooLongError,
    TooLargeError,
)

__all__ = [
    "AsyncClient",
    "Client",
    "ClientClosed",
    "Count",
    "DeadlineError",
    "EmbedOptions",
    "Embeddings",
    "EngineDied",
    "EngineNotFound",
    "Errors",
    "InvalidParamsError",
    "MemoryLimitError",
    "MinilmError",
    "OverloadedError",
    "Plan",
    "Precision",
    "RequestCancelled",
    "RequestError",
    "Settings",
    "StreamOptions",
    "TextErrors",
    "TextTooLongError",
    "Tokens",
    "TooLargeError",
]
