"""Real traffic against the JSON Schemas that `minilm manifest` prints, by a real validator."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import jsonschema
import pytest

TEXTS = ["A cat sleeps.", "", "Zwölf Boxkämpfer", "long " * 400]

# Each call with parameters that the server accepts.
GOOD: list[tuple[str, dict[str, Any]]] = [
    ("initialize", {"protocolVersion": "1", "clientInfo": {"name": "test", "version": "0"}}),
    ("initialize", {}),
    *[
        ("embed", {"input": TEXTS, "precision": precision, "encoding_format": encoding})
        for precision in ("float32", "int8", "uint8", "binary", "ubinary")
        for encoding in ("float", "base64")
    ],
    ("embed", {"input": "one", "dimensions": 16, "normalize": False, "prompt": "q: ", "user": "x"}),
    ("embed", {"inputs": ["one", 2, None, "three"], "priority": -3, "deadline_ms": 60000}),
    ("embed", {"input": TEXTS, "truncate": False, "max_tokens": 64, "truncation_direction": "left"}),
    ("embed", {"input": TEXTS * 30, "stream": True, "progress": True}),
    ("embed", {"input": []}),
    ("tokenize", {"input": [*TEXTS, 5], "truncate": True, "max_tokens": 8}),
    ("count", {"inputs": [*TEXTS, False], "max_tokens": 8}),
    ("plan", {"input": TEXTS, "stream": True}),
    ("plan", {"lengths": [2, 100, 256], "encoding_format": "base64"}),
    ("info", {}),
    ("stats", {}),
    ("$/cancelRequest", {"id": "none"}),
]

# Parameters that the server refuses with -32602, and the schemas must too.
BAD: list[tuple[str, dict[str, Any]]] = [
    ("embed", {}),
    ("embed", {"input": 5}),
    ("embed", {"input": "a", "inputs": "b"}),
    ("embed", {"input": "a", "encoding_format": "hex"}),
    ("embed", {"input": "a", "dimensions": 0}),
    ("embed", {"input": "a", "precision": "float16"}),
    ("embed", {"input": "a", "priority": 101}),
    ("embed", {"input": "a", "deadline_ms": -1}),
    ("embed", {"input": "a", "stream": "yes"}),
    ("embed", {"input": "a", "max_tokens": 1}),
    ("embed", {"input": "a", "colour": "red"}),
    ("tokenize", {"input": {"text": "a"}}),
    ("count", {"input": "a", "truncate": True}),
    ("plan", {"lengths": [1]}),
    ("plan", {"lengths": "2"}),
    ("plan", {"lengths": [2], "input": "a"}),
]


@pytest.fixture(scope="module")
def manifest(program: str) -> dict[str, Any]:
    return json.loads(subprocess.run([program, "manifest"], check=True, capture_output=True).stdout)


@pytest.fixture(scope="module")
def traffic(program: str) -> list[dict[str, Any]]:
    """Every line that the server prints for all calls above, and for lines that are no calls."""
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": i, "method": method, "params": params})
        for i, (method, params) in enumerate(GOOD + BAD)
    ]
    lines += ["garbage", '{"id":"x"}', '{"id":"y","method":"fly"}']
    engine = subprocess.run([program, "serve"], input="\n".join(lines).encode(), check=True, capture_output=True)
    return [json.loads(line) for line in engine.stdout.splitlines()]


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema)


def test_the_schemas_are_schemas(manifest: dict[str, Any]) -> None:
    assert manifest["command"][1] == "serve"
    for method in manifest["methods"].values():
        assert method["description"]
        for schema in [method["params"], method["result"], *method.get("notifications", {}).values()]:
            validator(schema).check_schema(schema)


def test_every_method_has_a_schema(manifest: dict[str, Any], traffic: list[dict[str, Any]]) -> None:
    methods = next(line for line in traffic if line.get("id") == 0)["result"]["capabilities"]["methods"]
    assert sorted(manifest["methods"]) == sorted(methods)


def test_accepted_parameters_and_results_are_valid(manifest: dict[str, Any], traffic: list[dict[str, Any]]) -> None:
    results = {line["id"]: line["result"] for line in traffic if "result" in line}
    for i, (method, params) in enumerate(GOOD):
        validator(manifest["methods"][method]["params"]).validate(params)
        validator(manifest["methods"][method]["result"]).validate(results[i])


def test_refused_parameters_are_invalid(manifest: dict[str, Any], traffic: list[dict[str, Any]]) -> None:
    errors = {line["id"]: line["error"] for line in traffic if "error" in line}
    for i, (method, params) in enumerate(BAD, start=len(GOOD)):
        assert errors[i]["code"] == -32602, (method, params)
        assert not validator(manifest["methods"][method]["params"]).is_valid(params), (method, params)


def test_notifications_are_valid(manifest: dict[str, Any], traffic: list[dict[str, Any]]) -> None:
    schemas = manifest["methods"]["embed"]["notifications"]
    notifications = [line for line in traffic if "method" in line]
    assert {line["method"] for line in notifications} >= {"embed/partial"}
    for line in notifications:
        validator(schemas[line["method"]]).validate(line["params"])


def test_errors_are_those_of_the_manifest(manifest: dict[str, Any], traffic: list[dict[str, Any]]) -> None:
    known = {error["code"] for error in manifest["errors"]}
    codes = {line["error"]["code"] for line in traffic if "error" in line}
    assert codes == {-32700, -32600, -32601, -32602}
    assert codes <= known
