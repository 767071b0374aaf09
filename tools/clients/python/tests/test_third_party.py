"""JSON-RPC libraries that know nothing of the engine, used as they come from PyPI."""

import asyncio
import base64
import subprocess

import numpy as np
import pytest


def test_jsonrpcclient(program, client):
    """`jsonrpcclient` makes and parses messages; the transport is a pipe and a newline."""
    jsonrpcclient = pytest.importorskip("jsonrpcclient", reason="jsonrpcclient is not installed")
    with subprocess.Popen(
        [program, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as engine:

        def call(method, **params):
            engine.stdin.write(jsonrpcclient.request_json(method, params=params or None) + "\n")
            return jsonrpcclient.parse_json(engine.stdout.readline())

        answer = call("embed", input=["A cat sleeps.", "naïve"])
        assert isinstance(answer, jsonrpcclient.Ok)
        vectors = np.array([item["embedding"] for item in answer.result["data"]], np.float32)
        assert np.allclose(vectors, client.embed(["A cat sleeps.", "naïve"]), atol=1e-6)
        assert isinstance(call("info"), jsonrpcclient.Ok)
        error = call("embed", input=7)
        assert isinstance(error, jsonrpcclient.Error) and error.code == -32602

        batch = jsonrpcclient.requests.request_json
        engine.stdin.write("[" + ",".join([batch("info"), batch("embed", params={"input": "a"})]) + "]\n")
        assert all(isinstance(part, jsonrpcclient.Ok) for part in jsonrpcclient.parse_json(engine.stdout.readline()))
        engine.stdin.write(jsonrpcclient.notification_json("info") + "\n")
        assert isinstance(call("shutdown"), jsonrpcclient.Ok)
        assert engine.wait(60) == 0


def test_agent_client_protocol_connection(program, client):
    """The connection of the Agent Client Protocol's SDK: a complete JSON-RPC peer over lines on a process's pipes."""
    pytest.importorskip("acp", reason="agent-client-protocol is not installed")
    from acp import RequestError
    from acp.connection import Connection

    async def main():
        notifications = []

        async def handle(method, params, is_notification):
            notifications.append(params)

        engine = await asyncio.create_subprocess_exec(
            program, "serve", stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 26
        )
        async with Connection(handle, engine.stdin, engine.stdout) as connection:
            texts = [f"Text number {number}." for number in range(20)]
            answers = await asyncio.gather(
                *(connection.send_request("embed", {"input": text, "encoding_format": "base64"}) for text in texts)
            )
            vectors = [np.frombuffer(base64.b64decode(answer["data"][0]["embedding"]), "<f4") for answer in answers]
            info = await connection.send_request("info", {})
            await connection.send_notification("$/cancelRequest", {"id": 9999})
            with pytest.raises(RequestError) as caught:
                await connection.send_request("nothing", {})
            assert await connection.send_request("shutdown", {}) is None
        return np.array(vectors), info, caught.value.code, await asyncio.wait_for(engine.wait(), 60)

    vectors, info, code, status = asyncio.run(main())
    assert np.allclose(vectors, client.embed([f"Text number {number}." for number in range(20)]), atol=1e-6)
    assert info["model"]["dimension"] == 384 and code == -32601 and status == 0
