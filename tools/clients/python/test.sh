#!/usr/bin/env bash
# Installs the Python client and what its tests need into .build/clients/python (if missing or changed), and runs the tests.
# Usage: tools/clients/python/test.sh [ARGUMENTS OF pytest]     for example: tools/clients/python/test.sh -k asyncio
# The engine is $MINILM, else .build/release/minilm, else minilm on PATH. $PYTHON: the interpreter (python3).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
venv=$root/.build/clients/python
stamp=$venv/requirements.stamp

if [ -z "${MINILM:-}" ] && [ ! -x "$root/.build/release/minilm" ] && ! command -v minilm >/dev/null; then
    echo "no engine: build it with tools/setup.sh, or set MINILM" >&2
    exit 1
fi
wanted=$(cat "$here/pyproject.toml" "$here/tests/requirements.txt" | sha256sum)
if [ ! -x "$venv/bin/python" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "installing into $venv (two or three minutes)" >&2
    rm -f "$stamp"
    [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/tests/requirements.txt"
    # Editable: the tests run what is in the tree.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --editable "$here"
    printf '%s\n' "$wanted" >"$stamp"
fi
cd "$here"
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" -m pytest -q -rs "$@"
