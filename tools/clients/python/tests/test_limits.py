"""The limits of a real engine, set low."""

import numpy as np
import pytest

from minilm_client import Client, InvalidParamsError, Settings, TooLargeError

TEXTS = [f"Text number {number}." for number in range(100)]


def limited(program, *args, **bounds):
    return Client(settings=Settings(program=program, args=args, **bounds))


def test_few_concurrent_requests_are_enough(full, program):
    with limited(program, "--max-concurrent-requests", "1", batch_size=4) as client:
        assert np.allclose(client.embed(TEXTS), full.embed(TEXTS), atol=1e-6)


def test_an_overlong_line_is_an_error_and_the_next_is_none(full, program):
    with limited(program, "--max-line-bytes", "100000") as client:
        with pytest.raises(TooLargeError):
            client.embed("word " * 100_000)
        assert client.embed("a").shape == (384,)


def test_too_many_texts_are_an_error(full, program):
    with limited(program, "--max-client-batch-size", "10") as client:
        with pytest.raises(TooLargeError):
            client.embed(TEXTS)
    with limited(program, "--max-client-batch-size", "10", batch_size=10) as client:
        assert client.embed(TEXTS).shape == (100, 384)


def test_bad_options_are_named(full):
    for options in ({"dimensions": 0}, {"dimensions": 385}, {"max_tokens": 1}, {"priority": 101}):
        with pytest.raises(InvalidParamsError) as caught:
            full.embed("a", **options)
        assert caught.value.data["param"] in options


def test_an_engine_that_refuses_its_arguments_says_why(program):
    with pytest.raises(Exception, match="no-such-flag"):
        limited(program, "--no-such-flag").embed("a")
