"""What can go wrong with an engine, played by a fake one."""

import threading
import time

import numpy as np
import pytest

from helpers import alive, wait_until
from minilm_client import (
    Client,
    ClientClosed,
    DeadlineError,
    EngineDied,
    EngineNotFound,
    OverloadedError,
    TextErrors,
    TooLargeError,
)

TEXTS = [chr(97 + number % 26) * (number + 1) for number in range(40)]
EXPECTED = np.array([[len(text), ord(text[0])] for text in TEXTS], np.float32)
SMALL = {"batch_size": 4}


def test_requests_and_bytes_in_flight_are_bounded(fake):
    with Client(settings=fake.settings(max_concurrent=3, delay=0.01, bounds={**SMALL, "max_requests": 3})) as client:
        assert np.array_equal(client.embed(TEXTS)[:, :2], EXPECTED)
    # None was turned away: each was sent once.
    assert len(fake.events(method="embed")) == 10


def test_large_texts_go_alone(fake):
    bounds = {"batch_bytes": 1000, "max_bytes": 3000}
    with Client(settings=fake.settings(max_concurrent=2, delay=0.01, bounds=bounds)) as client:
        vectors = client.embed(["x" * 2500, "y" * 5000, "z"] * 3)
    assert vectors[:, 0].tolist() == [2500, 5000, 1] * 3
    assert len(fake.events(method="embed")) == len({event["id"] for event in fake.events(method="embed")})


def test_overload_is_retried_until_it_passes(fake):
    with Client(settings=fake.settings(max_concurrent=1, delay=0.01, bounds=SMALL)) as client:
        assert np.array_equal(client.embed(TEXTS)[:, :2], EXPECTED)
    assert len(fake.events(method="embed")) > 10


def test_overload_that_stays_is_an_error(fake):
    with Client(settings=fake.settings(max_concurrent=0, bounds={"max_retries": 3})) as client:
        with pytest.raises(OverloadedError):
            client.embed("a")
    assert len(fake.events(method="embed")) == 4


def test_requests_of_a_dead_engine_are_sent_to_the_next(fake):
    with Client(settings=fake.settings(die_after=3, until=1, delay=0.05, bounds=SMALL)) as client:
        assert np.array_equal(client.embed(TEXTS)[:, :2], EXPECTED)
    assert fake.starts == 2


def test_a_request_that_kills_engines_takes_no_other_with_it(fake):
    results = {}

    def embed(text):
        try:
            results[text] = client.embed(text)[0]
        except EngineDied as error:
            results[text] = error

    with Client(settings=fake.settings(die_on="poison", delay=0.05)) as client:
        threads = [threading.Thread(target=embed, args=(text,)) for text in ("a", "bb", "poison", "cccc", "ddddd")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    died = results.pop("poison")
    assert isinstance(died, EngineDied) and died.returncode == -9
    assert results == {"a": 1, "bb": 2, "cccc": 4, "ddddd": 5}
    assert fake.starts <= 4


def test_an_engine_that_never_comes_up_is_tried_a_bounded_number_of_times(fake):
    with Client(settings=fake.settings(exit_at=66)) as client:
        with pytest.raises(EngineDied) as caught:
            client.embed(["a"] * 200)
    assert caught.value.returncode == 66 and "cannot open the model" in str(caught.value)
    assert fake.starts <= 6


def test_a_missing_program_is_said_at_once():
    with pytest.raises(EngineNotFound):
        Client("/nonexistent/minilm").embed("a")
    with pytest.raises(EngineNotFound):
        Client("/nonexistent/minilm", start=True)


def test_a_line_that_is_no_json_costs_an_engine_not_a_request(fake):
    with Client(settings=fake.settings(garbage=True, until=1)) as client:
        assert client.embed("abc")[0] == 3
    assert fake.starts == 2


def test_a_stalled_engine_is_replaced(fake):
    with Client(settings=fake.settings(stall=True, until=1, bounds={"stall_timeout": 3})) as client:
        assert np.array_equal(client.embed(TEXTS)[:, :2], EXPECTED)
    assert fake.starts == 2


def test_a_timeout_cancels_and_leaves_the_engine(fake):
    with Client(settings=fake.settings(delay=0.5)) as client:
        client.info()
        with pytest.raises(DeadlineError):
            client.embed("a", timeout=0.05)
        assert client.embed("bb")[0] == 2
    assert fake.starts == 1 and len(fake.cancelled()) == 1


def test_deadlines_are_told_and_kept(fake):
    with Client(settings=fake.settings(stall=True)) as client:
        client.info()
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            client.embed("a", deadline_ms=200)
        assert 0.2 <= time.monotonic() - start < 30
    (event,) = fake.events(method="embed")
    assert 0 < event["params"]["deadline_ms"] <= 200


def test_the_first_error_cancels_the_rest_of_a_call(fake):
    with Client(settings=fake.settings(delay=30, bounds=SMALL)) as client:
        client.info()
        with pytest.raises(TypeError):
            client.embed([*TEXTS[:12], 7])
        # The last of the three was never sent: it would have held what is no text.
        wait_until(lambda: len(fake.cancelled()) == len(fake.events(method="embed")) == 2)


def test_higher_priority_is_sent_first(fake):
    settings = fake.settings(delay=0.05, bounds={"max_requests": 1})
    with Client(settings=settings) as client:
        threads = [threading.Thread(target=client.embed, args=("background",)) for _ in range(5)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(fake.events(method="embed")) > 0)
        client.embed("urgent", priority=10)
        for thread in threads:
            thread.join()
    order = [event["params"]["input"][0] for event in fake.events(method="embed")]
    assert order.index("urgent") <= 3


def test_an_overlong_line_is_the_longest_requests_error(fake):
    with Client(settings=fake.settings(max_line=1000, delay=0.05)) as client:
        with pytest.raises(TooLargeError):
            client.embed("x" * 2000)
        assert client.embed("abc")[0] == 3


def test_stderr_never_blocks_the_engine(fake):
    lines = []
    settings = fake.settings(stderr=1 << 20, bounds=SMALL, on_stderr=lines.append)
    with Client(settings=settings) as client:
        assert np.array_equal(client.embed(TEXTS)[:, :2], EXPECTED)
    wait_until(lambda: len(lines) == 20)
    assert max(map(len, lines)) == 1000


def test_streams_go_on_after_a_crash_without_repeating(fake):
    with Client(settings=fake.settings(half=True, until=1, bounds=SMALL)) as client:
        pairs = list(client.stream(TEXTS))
    assert sorted(position for position, _ in pairs) == list(range(40))
    assert all(vector[0] == len(TEXTS[position]) for position, vector in pairs)
    assert fake.starts == 2


def test_streams_read_no_further_than_needed(fake):
    read = []

    def texts():
        for text in TEXTS:
            read.append(text)
            yield text

    with Client(settings=fake.settings(bounds={"batch_size": 2, "max_requests": 2})) as client:
        stream = client.stream(texts())
        next(stream)
        assert len(read) <= 7
        stream.close()
        wait_until(lambda: client.embed("abc")[0] == 3)


def test_stream_errors(fake):
    with Client(settings=fake.settings()) as client:
        seen = []
        with pytest.raises(TextErrors) as caught:
            for position, _ in client.stream(["a", "bad", "\ud800", "b"]):
                seen.append(position)
    assert sorted(seen) == [0, 3] and caught.value.indices == [1, 2]


def test_close_fails_what_waits_and_ends_the_engine(fake):
    client = Client(settings=fake.settings(stall=True))
    outcome = []

    def embed():
        try:
            client.embed("a")
        except ClientClosed as error:
            outcome.append(error)

    thread = threading.Thread(target=embed)
    thread.start()
    wait_until(lambda: bool(fake.events(method="embed")))
    pid = client.pid
    client.close()
    client.close()
    thread.join(5)
    assert outcome and not alive(pid)
    with pytest.raises(ClientClosed):
        client.embed("a")


def test_an_engine_that_will_not_end_is_killed(fake):
    client = Client(settings=fake.settings(ignore_eof=True, bounds={"close_timeout": 0.2}))
    client.embed("a")
    pid = client.pid
    client.close()
    assert not alive(pid)
