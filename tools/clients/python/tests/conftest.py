"""The engines the tests run against: the real one ($MINILM, else the build up the tree, else PATH), and a fake one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from minilm_client import Client, RequestError, Settings

HERE = Path(__file__).resolve().parent
FAKE = [sys.executable, str(HERE / "fake_engine.py")]


def _find_program() -> str | None:
    if os.environ.get("MINILM"):
        return os.environ["MINILM"]
    for directory in HERE.parents:
        candidate = directory / ".build" / "release" / "minilm"
        if candidate.is_file():
            return str(candidate)
    return shutil.which("minilm")


def _find_model() -> None:
    for directory in HERE.parents:
        candidate = directory / "weights" / "all-MiniLM-L6-v2.safetensors"
        if "MINILM_MODEL" not in os.environ and candidate.is_file():
            os.environ["MINILM_MODEL"] = str(candidate)


_find_model()


@pytest.fixture(scope="session")
def program() -> str:
    found = _find_program()
    if found is None:
        pytest.skip("no engine: set MINILM, or build it with tools/setup.sh")
    os.environ["MINILM"] = found
    return found


@pytest.fixture(scope="session")
def client(program: str):
    """A real engine shared by the tests that do it no harm."""
    with Client(program) as client:
        yield client


@pytest.fixture(scope="session")
def full(client: Client) -> Client:
    """The same, if it has all methods of the protocol."""
    try:
        client.stats()
    except RequestError as error:
        if error.code != -32601:
            raise
        pytest.skip("this engine has only embed, info and shutdown")
    return client


class Fake:
    """Settings for a fake engine, and the record of what it was sent."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "fake.log"
        self._log.touch()

    def settings(self, *, bounds: dict | None = None, on_stderr=None, **config) -> Settings:
        fake = json.dumps({"log": str(self._log), **config})
        return Settings(program=FAKE, env={"FAKE": fake}, on_stderr=on_stderr, **(bounds or {}))

    def events(self, **match) -> list[dict]:
        events = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [event for event in events if match.items() <= event.items()]

    @property
    def starts(self) -> int:
        return len(self.events(event="start"))

    def cancelled(self) -> set[int]:
        return {event["params"]["id"] for event in self.events(method="$/cancelRequest")}


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)
