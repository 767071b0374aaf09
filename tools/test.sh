#!/usr/bin/env bash
# Sets up what is missing and runs all checks and tests, in debug and in release. What CI runs.
# Usage: tools/test.sh [ARGUMENTS OF swift test]     for example: tools/test.sh --filter TokenizationTests
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${CI:-}" = true ]; then export MINILM_WARNINGS_AS_ERRORS=1; fi

tools/setup.sh "Hello, world" | cut -c -120
tools/fetch-weights.sh
tools/check.sh

# Prints what failed and how the runs ended; a run that hangs is ended.
run() {
    echo "== swift test $*"
    timeout --kill-after=10 1500 swift test "$@" >.build/test.log 2>&1 && status=0 || status=$?
    grep -E '✘|✔ Test run|➜|skipped|error:|warning:|largest difference' .build/test.log | grep -v ' started\.$' || true
    if [ $status -ne 0 ]; then
        tail -n 60 .build/test.log
        exit $status
    fi
}

run --disable-xctest "$@"
run --disable-xctest -c release --disable-testable-imports "$@"
