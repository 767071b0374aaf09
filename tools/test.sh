#!/usr/bin/env bash
# Sets up what is missing and runs all checks and tests: Swift's in debug and in release, the clients', small attacks on the
# server. What CI runs.
# Usage: tools/test.sh [ARGUMENTS OF swift test]     for example: tools/test.sh --filter TokenizationTests; with any, only Swift's run
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

[ $# -eq 0 ] || exit 0
packages=(jq)
! command -v javac >/dev/null || packages+=(libgoogle-gson-java)
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
tools/install-packages.sh "${packages[@]}"
for test in tools/stress/test.sh tools/clients/{shell,node,java,python}/test.sh; do
    echo "== $test"
    timeout --kill-after=10 900 "$test"
done
