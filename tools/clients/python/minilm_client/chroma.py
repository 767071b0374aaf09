"""Chroma embedding function. Needs `chromadb` (`pip install minilm-client[chroma]`).

Import this module before opening a collection that was made with it: that registers the function under its name.
"""

from __future__ import annotations

from typing import Any, Optional, cast

from chromadb.api.types import Documents, EmbeddingFunction, Embeddings, Space
from chromadb.utils.embedding_functions import register_embedding_function

from ._options import EmbedOptions
from .client import Client

# A stored collection's vectors are comparable only with vectors made with the same of these.
_FIXED = ("document_prompt", "query_prompt", "dimensions")


class MinilmEmbeddingFunction(EmbeddingFunction[Documents]):
    """Embeds documents and queries with an engine of its own, or with `client`, which the caller then closes.

    program, model: as for `Client`. They are stored with the collection: leave them out where $MINILM and
    $MINILM_MODEL tell them, if it is to be opened elsewhere.
    document_prompt, query_prompt, dimensions: as for `Client.embed`.
    """

    def __init__(
        self,
        client: Optional[Client] = None,
        *,
        program: Optional[str] = None,
        model: Optional[str] = None,
        document_prompt: Optional[str] = None,
        query_prompt: Optional[str] = None,
        dimensions: Optional[int] = None,
    ) -> None:
        self.client = client or Client(program, model=model)
        self._config: dict[str, Any] = {
            "program": program,
            "model": model,
            "document_prompt": document_prompt,
            "query_prompt": query_prompt,
            "dimensions": dimensions,
        }

    def __call__(self, input: Documents) -> Embeddings:
        return self._embed(input, "document_prompt")

    def embed_query(self, input: Documents) -> Embeddings:
        return self._embed(input, "query_prompt")

    def _embed(self, texts: Documents, prompt: str) -> Embeddings:
        options: EmbedOptions = {"dimensions": self._config["dimensions"], "prompt": self._config[prompt]}
        return list(self.client.embed(texts, **options))

    @staticmethod
    def name() -> str:
        return "minilm"

    def default_space(self) -> Space:
        return "cosine"

    def supported_spaces(self) -> list[Space]:
        return ["cosine", "l2", "ip"]

    def get_config(self) -> dict[str, Any]:
        return dict(self._config)

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> MinilmEmbeddingFunction:
        return MinilmEmbeddingFunction(**config)

    @staticmethod
    def validate_config(config: dict[str, Any]) -> None:
        unknown = config.keys() - {"program", "model", *_FIXED}
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")

    def validate_config_update(self, old_config: dict[str, Any], new_config: dict[str, Any]) -> None:
        changed = [name for name in _FIXED if old_config.get(name) != new_config.get(name)]
        if changed:
            raise ValueError(f"would make stored vectors incomparable: {', '.join(changed)}")


cast(Any, register_embedding_function)(MinilmEmbeddingFunction)
