"""The examples of README.md run as they stand."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
OPTIONAL = ("langchain_core", "llama_index", "chromadb")
# What only the full protocol has.
FULL = ("dimensions", "precision", "stream", "count", "tokenize", "plan", "prompt")


def test_there_are_examples():
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example(example, program, request, tmp_path, monkeypatch):
    for module in OPTIONAL:
        if module in example:
            pytest.importorskip(module, reason=f"{module} is not installed")
    if any(word in example for word in FULL):
        request.getfixturevalue("full")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec", dont_inherit=True), {"__name__": "__main__"})
