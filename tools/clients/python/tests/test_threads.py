"""Many threads, one client."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from minilm_client import Client, Settings

TEXTS = [f"Text number {number}." for number in range(64)]


def test_each_thread_gets_its_own_answers(program, client):
    expected = client.embed(TEXTS)
    with Client(settings=Settings(program=program, batch_size=3)) as shared, ThreadPoolExecutor(16) as pool:
        singles = list(pool.map(shared.embed, TEXTS))
        slices = list(pool.map(lambda start: shared.embed(TEXTS[start : start + 10]), range(0, 60, 10)))
    assert np.allclose(np.array(singles), expected, atol=1e-6)
    assert np.allclose(np.concatenate(slices), expected[:60], atol=1e-6)
