"""LlamaIndex embedding. Needs `llama-index-core` (`pip install minilm-client[llama-index]`)."""

from __future__ import annotations

from typing import Any, Optional

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import Field, PrivateAttr

from ._options import EmbedOptions
from .aio import AsyncClient
from .client import Client


class MinilmEmbedding(BaseEmbedding):
    """Embeds nodes and queries with an engine of its own, or with `client`, which the caller then closes."""

    program: Optional[str] = Field(default=None, description="Path of the engine.")
    model_path: Optional[str] = Field(default=None, description="Model file.")
    text_prompt: Optional[str] = Field(default=None, description="Put before each text.")
    query_prompt: Optional[str] = Field(default=None, description="Put before each query.")
    dimensions: Optional[int] = Field(default=None, description="Keep the first so many elements.")

    _client: Client = PrivateAttr()

    def __init__(self, client: Optional[Client] = None, **fields: Any) -> None:
        super().__init__(**{"model_name": "minilm", "embed_batch_size": 512, **fields})
        self._client = client or Client(self.program, model=self.model_path)

    @classmethod
    def class_name(cls) -> str:
        return "MinilmEmbedding"

    @property
    def client(self) -> Client:
        return self._client

    def _options(self, prompt: Optional[str]) -> EmbedOptions:
        options: EmbedOptions = {}
        if prompt is not None:
            options["prompt"] = prompt
        if self.dimensions is not None:
            options["dimensions"] = self.dimensions
        return options

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = self._client.embed(query, **self._options(self.query_prompt)).tolist()
        return vector

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._client.embed(texts, **self._options(self.text_prompt)).tolist()
        return vectors

    async def _aget_query_embedding(self, query: str) -> list[float]:
        client = AsyncClient.share(self._client)
        vector: list[float] = (await client.embed(query, **self._options(self.query_prompt))).tolist()
        return vector

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._aget_text_embeddings([text]))[0]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        client = AsyncClient.share(self._client)
        vectors: list[list[float]] = (await client.embed(texts, **self._options(self.text_prompt))).tolist()
        return vectors
