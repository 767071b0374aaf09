"""LangChain embeddings. Needs `langchain-core` (`pip install minilm-client[langchain]`)."""

from __future__ import annotations

from typing import Any, Optional

from langchain_core.embeddings import Embeddings

from ._options import EmbedOptions
from .aio import AsyncClient
from .client import Client


class MinilmEmbeddings(Embeddings):
    """Embeds documents and queries.

    client: an existing client to use, which the caller closes; otherwise one is made of `client_options`, which are
        those of `Client`.
    document_prompt, query_prompt: put before each text, for models trained with prompts.
    options: of `Client.embed`, for both.
    """

    def __init__(
        self,
        client: Optional[Client] = None,
        *,
        document_prompt: Optional[str] = None,
        query_prompt: Optional[str] = None,
        options: Optional[EmbedOptions] = None,
        **client_options: Any,
    ) -> None:
        self.client = client or Client(**client_options)
        self._async_client = AsyncClient.share(self.client)
        self._document_options = _with_prompt(options, document_prompt)
        self._query_options = _with_prompt(options, query_prompt)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self.client.embed(texts, **self._document_options).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        vector: list[float] = self.client.embed(text, **self._query_options).tolist()
        return vector

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = (await self._async_client.embed(texts, **self._document_options)).tolist()
        return vectors

    async def aembed_query(self, text: str) -> list[float]:
        vector: list[float] = (await self._async_client.embed(text, **self._query_options)).tolist()
        return vector


def _with_prompt(options: Optional[EmbedOptions], prompt: Optional[str]) -> EmbedOptions:
    result: EmbedOptions = {**options} if options else {}
    if prompt is not None:
        result["prompt"] = prompt
    return result
