"""The package is fully typed."""

import subprocess
import sys
from pathlib import Path

import pytest


def test_mypy_strict(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    root = Path(__file__).resolve().parents[1]
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(tmp_path),
        "minilm_client",
        "tests/typed_use.py",
    ]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout
