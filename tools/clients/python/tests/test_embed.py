"""Values: what the client returns is what the engine computes, element for element."""

import json
import subprocess

import numpy as np
import pytest

from minilm_client import Client, InvalidParamsError, RequestError, Settings, TextErrors, TextTooLongError

TEXTS = ["A cat sleeps.", "", 'Straße, 東京, 🙂\n\t"quoted\\"', "\u2028\u0000x", "word " * 400, "A cat sleeps."]
LONG = "word " * 1000


def raw_floats(program, texts, **params):
    """The engine's vectors without the client, as decimal numbers."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "embed", "params": {"input": texts, **params}}
    done = subprocess.run(
        [program, "serve"], input=json.dumps(request).encode() + b"\n", stdout=subprocess.PIPE, check=True
    )
    return np.array([item["embedding"] for item in json.loads(done.stdout)["result"]["data"]], np.float32)


def test_vectors_equal_those_the_engine_writes_as_numbers(client, program):
    vectors = client.embed(TEXTS)
    assert vectors.dtype == np.float32 and vectors.shape == (len(TEXTS), 384) and vectors.flags.writeable
    assert np.array_equal(vectors, raw_floats(program, TEXTS))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_one_text_is_one_vector(client):
    assert np.allclose(client.embed(TEXTS[0]), client.embed(TEXTS)[0], atol=1e-6)


def test_order_is_kept_over_many_requests(program, client):
    texts = [f"Text number {number}." for number in range(100)]
    with Client(settings=Settings(program=program, batch_size=7, max_requests=3)) as small:
        assert np.allclose(small.embed(texts), client.embed(texts), atol=1e-6)


def test_no_texts_are_no_rows(client):
    assert client.embed([]).shape == (0, 384)


def test_details(client):
    details = client.embed_detailed(["A cat sleeps.", LONG])
    assert details.tokens.tolist() == [6, 256] and details.truncated.tolist() == [False, True]
    assert details.scales is None and not details.errors


def test_text_errors_name_the_positions(full):
    texts = ["good", LONG, "also good", "\ud800", LONG]
    with pytest.raises(TextErrors) as caught:
        full.embed(texts, truncate=False)
    assert caught.value.indices == [1, 3, 4]
    assert isinstance(caught.value.errors[1], TextTooLongError)
    assert isinstance(caught.value.errors[3], InvalidParamsError)
    assert "word" not in str(caught.value)


def test_text_errors_returned_are_nan_rows(full):
    details = full.embed_detailed(["good", LONG], truncate=False, errors="return")
    assert np.isnan(details.vectors[1]).all() and details.errors[1].code == -32003
    assert np.array_equal(details.vectors[0], full.embed("good"))
    vectors = full.embed([LONG, LONG], truncate=False, errors="return")
    assert vectors.shape == (2, 384) and np.isnan(vectors).all()


def test_one_bad_text_is_its_own_error(client):
    with pytest.raises(TextTooLongError):
        client.embed(LONG, truncate=False)


def test_wrong_arguments_never_reach_the_engine(client):
    with pytest.raises(TypeError):
        client.embed(["good", 7])
    with pytest.raises(TypeError):
        client.embed(b"bytes")
    with pytest.raises(TypeError):
        client.embed("a", dimension=8)
    with pytest.raises(ValueError):
        client.embed("a", precision="float16")


def test_unknown_method_is_a_request_error(client):
    with pytest.raises(RequestError) as caught:
        client.request("nothing")
    assert caught.value.code == -32601


def test_info(client):
    assert client.info()["model"]["dimension"] == 384


def test_not_normalized(client):
    raw = client.embed(TEXTS, normalize=False)
    assert np.allclose(raw / np.linalg.norm(raw, axis=1, keepdims=True), client.embed(TEXTS), atol=1e-6)


def test_dimensions(full):
    whole = full.embed(TEXTS)[:, :64]
    expected = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    assert np.allclose(full.embed(TEXTS, dimensions=64), expected, atol=1e-6)


def test_integer_precisions(full):
    exact = full.embed(TEXTS)
    signed = full.embed_detailed(TEXTS, precision="int8")
    unsigned = full.embed_detailed(TEXTS, precision="uint8")
    assert signed.vectors.dtype == np.int8 and unsigned.vectors.dtype == np.uint8
    scales = np.abs(exact).max(axis=1) / 127
    assert np.allclose(signed.scales, scales, rtol=1e-4) and np.allclose(unsigned.scales, scales, rtol=1e-4)
    # Half a step of rounding, and what two runs differ in.
    bound = scales[:, None] * 0.51 + 1e-6
    assert (np.abs(signed.vectors * signed.scales[:, None] - exact) <= bound).all()
    assert (np.abs((unsigned.vectors.astype(np.float32) - 128) * unsigned.scales[:, None] - exact) <= bound).all()


def test_binary_precisions(full):
    exact = full.embed(TEXTS)
    packed = np.packbits(exact > 0, axis=1)
    clear = np.abs(exact) > 1e-6
    unsigned = full.embed(TEXTS, precision="ubinary")
    assert unsigned.dtype == np.uint8 and unsigned.shape == (len(TEXTS), 48)
    assert (np.unpackbits(unsigned, axis=1) == (exact > 0))[clear].all()
    signed = full.embed(TEXTS, precision="binary")
    assert signed.dtype == np.int8 and np.array_equal((signed.astype(np.int16) + 128).astype(np.uint8), unsigned)
    assert packed.shape == unsigned.shape
    assert full.embed([], precision="binary").shape == (0, 48)


def test_prompt_and_window(full):
    assert np.allclose(full.embed("A cat", prompt="query: "), full.embed("query: A cat"), atol=1e-6)
    assert full.embed_detailed(LONG, max_tokens=512).tokens.tolist() == [512]
    assert full.embed_detailed(LONG, max_tokens=16).tokens.tolist() == [16]


def test_stream_yields_each_position_once(full):
    texts = [f"Text number {number}." for number in range(150)]
    pairs = dict(full.stream(iter(texts)))
    assert sorted(pairs) == list(range(150))
    assert np.allclose(np.array([pairs[position] for position in range(150)]), full.embed(texts), atol=1e-6)


def test_stream_raises_for_failed_texts_at_the_end(full):
    seen = []
    with pytest.raises(TextErrors) as caught:
        for position, _ in full.stream(["a", LONG, "b"], truncate=False):
            seen.append(position)
    assert sorted(seen) == [0, 2] and caught.value.indices == [1]


def test_tokenize_and_count(full):
    tokens = full.tokenize("A cat sleeps.")
    assert tokens.tokens == ["[CLS]", "a", "cat", "sleeps", ".", "[SEP]"] and len(tokens.ids) == 6
    assert full.count("A cat sleeps.").tokens == 6
    assert [count.tokens for count in full.count(["A cat sleeps."] * 150)] == [6] * 150
    long = full.count(LONG)
    assert long.tokens == 1002 and long.dropped == 1002 - 256
    assert full.tokenize([]) == []


def test_plan(full):
    plan = full.plan(["A cat sleeps.", LONG])
    assert plan.texts == 2 and plan.tokens == 262 and plan.fits
    assert full.plan(lengths=[10] * 1000).tokens == 10_000


def test_a_passed_deadline_is_an_error(full):
    with pytest.raises(TimeoutError):
        full.embed([LONG] * 64, deadline_ms=0)
