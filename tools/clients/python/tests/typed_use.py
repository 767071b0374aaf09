"""Checked by mypy as a user of the package, never run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from minilm_client import AsyncClient, Client, Count, EmbedOptions, Tokens


def use(client: Client) -> npt.NDArray[np.float32]:
    options: EmbedOptions = {"precision": "int8", "errors": "return"}
    client.embed("a", **options)
    one: Tokens = client.tokenize("a")
    several: list[Count] = client.count(["a", "b"])
    pairs: dict[int, npt.NDArray[Any]] = dict(client.stream(["a"], priority=1))
    client.embed("a", precision="float16")  # type: ignore[arg-type]
    client.embed("a", dimension=3)  # type: ignore[call-arg]
    print(one, several, pairs)
    return client.embed(["a"], timeout=1.0)


async def use_async(client: AsyncClient) -> Count:
    async for position, vector in client.stream(["a"]):
        print(position, vector.shape)
    async with client as same:
        return await same.count("a")
