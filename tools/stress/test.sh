#!/usr/bin/env bash
# Attacks the server in small: what the scripts beside this one do, for a minute or two in all.
# Usage: tools/stress/test.sh
set -euo pipefail
cd "$(dirname "$0")"

run() { timeout --kill-after=10 300 python3 "$@" 2>/dev/null || { echo "stress: FAILED: $*; run it by hand to see more"; exit 1; }; }
run ./mutated-lines.py --lines 30000
run ./cancellations.py --count 1000
run ./kills.py --count 14
run ./long-line.py --bytes 200000000
suite=../../../shared/data/json-test-suite/test_parsing
if [ -d "$suite" ]; then run ./json-test-suite.py "$suite"; else echo "json-test-suite: skipped, no $suite"; fi
