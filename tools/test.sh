#!/usr/bin/env bash
# Sets up what is missing and runs all checks and tests, in release and in debug. What CI runs.
# Usage: tools/test.sh [ARGUMENTS OF swift test]     for example: tools/test.sh --filter TokenizationTests
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${CI:-}" = true ]; then export MINILM_WARNINGS_AS_ERRORS=1; fi

tools/setup.sh
tools/fetch-weights.sh
tools/check.sh
echo "== tests, debug build"
swift test --quiet "$@"
echo "== tests, release build"
swift test --quiet -c release --disable-testable-imports "$@"
