"""Many tasks, one client."""

import asyncio

import numpy as np
import pytest

from helpers import wait_until
from minilm_client import AsyncClient, Client, ClientClosed, DeadlineError, EngineDied, TextErrors

TEXTS = [f"Text number {number}." for number in range(150)]


def test_tasks_get_their_own_answers(program, client):
    async def main():
        async with AsyncClient(program) as engine:
            singles = await asyncio.gather(*(engine.embed(text) for text in TEXTS[:40]))
            return np.array(singles), await engine.embed(TEXTS), await engine.info()

    singles, together, info = asyncio.run(main())
    expected = client.embed(TEXTS)
    assert np.allclose(singles, expected[:40], atol=1e-6) and np.allclose(together, expected, atol=1e-6)
    assert info["model"]["dimension"] == 384


def test_one_client_serves_several_loops(program):
    engine = AsyncClient(program)
    first = asyncio.run(engine.embed("a"))
    assert np.allclose(asyncio.run(engine.embed("a")), first, atol=1e-6)
    asyncio.run(engine.close())


def test_a_shared_engine_is_not_closed(client):
    async def main():
        async with AsyncClient.share(client) as engine:
            return await engine.embed("a")

    assert np.allclose(asyncio.run(main()), client.embed("a"), atol=1e-6)


def test_cancelling_a_task_cancels_its_requests(fake):
    async def main():
        async with AsyncClient(settings=fake.settings(delay=30, bounds={"batch_size": 4})) as engine:
            task = asyncio.create_task(engine.embed(TEXTS))
            while len(fake.events(method="embed")) < 8:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(wait_until, lambda: len(fake.cancelled()) == 8)

    asyncio.run(main())


def test_timeouts_cancel(fake):
    async def main():
        async with AsyncClient(settings=fake.settings(delay=30)) as engine:
            await engine.info()
            with pytest.raises(DeadlineError):
                await engine.embed("a", timeout=0.1)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(engine.embed("a"), 0.1)
            with pytest.raises(DeadlineError):
                async for _ in engine.stream(["a"], timeout=0.1):
                    pass
            await asyncio.to_thread(wait_until, lambda: len(fake.cancelled()) == 3)

    asyncio.run(main())


def test_streams(fake):
    async def main():
        async with AsyncClient(settings=fake.settings(half=True, until=1, bounds={"batch_size": 4})) as engine:
            pairs = [pair async for pair in engine.stream(TEXTS)]
            assert sorted(position for position, _ in pairs) == list(range(len(TEXTS)))
            with pytest.raises(TextErrors):
                async for _ in engine.stream(["a", "bad"]):
                    pass

    asyncio.run(main())
    assert fake.starts == 2


def test_real_streams(full):
    async def main():
        engine = AsyncClient.share(full)
        return {position: vector async for position, vector in engine.stream(TEXTS)}

    vectors = asyncio.run(main())
    assert np.allclose(np.array([vectors[index] for index in range(len(TEXTS))]), full.embed(TEXTS), atol=1e-6)


def test_cancellation_frees_the_real_engine(full):
    async def main():
        engine = AsyncClient.share(full)
        task = asyncio.create_task(engine.embed([f"{number} " + "word " * 250 for number in range(20_000)]))
        await asyncio.sleep(0.3)
        task.cancel()
        # The whole would take many minutes.
        await engine.embed("a", timeout=60)

    asyncio.run(main())


def test_other_calls(full):
    async def main():
        engine = AsyncClient.share(full)
        assert (await engine.count("A cat sleeps.")).tokens == 6
        assert (await engine.tokenize(["A cat sleeps."]))[0].tokens[1:3] == ["a", "cat"]
        assert (await engine.plan(["A cat sleeps."])).tokens == 6
        assert await engine.stats()

    asyncio.run(main())


def test_death_and_close(fake):
    async def main():
        engine = AsyncClient(settings=fake.settings(die_on="poison"))
        with pytest.raises(EngineDied):
            await engine.embed("poison")
        await engine.close()
        with pytest.raises(ClientClosed):
            await engine.embed("a")

    asyncio.run(main())


def test_the_loop_is_not_blocked_while_the_engine_is(fake):
    async def main():
        async with AsyncClient(settings=fake.settings(stall=True)) as engine:
            # More than a pipe holds: the engine reads on, but writing is never the loop's work.
            tasks = [asyncio.create_task(engine.embed("x" * 500_000)) for _ in range(8)]
            await asyncio.wait_for(asyncio.sleep(0.05), 20)
            for task in tasks:
                task.cancel()

    asyncio.run(main())


def test_sync_and_async_share_one_engine(program):
    with Client(program) as client:
        asyncio.run(AsyncClient.share(client).embed("a"))
        pid = client.pid
        client.embed("a")
        assert client.pid == pid
