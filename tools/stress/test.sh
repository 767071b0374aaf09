#!/usr/bin/env bash
# Attacks the server and the pipeline in small: what the scripts beside this one do, for two minutes or so in all.
# Usage: tools/stress/test.sh
set -euo pipefail
cd "$(dirname "$0")"

run() { timeout --kill-after=10 300 python3 "$@" 2>/dev/null || { echo "stress: FAILED: $*; run it by hand to see more"; exit 1; }; }
run ./mutated-lines.py --lines 30000
run ./cancellations.py --count 1000
run ./kills.py --count 14 --patience 6
run ./pipeline-kills.py --rounds 12 --real-rounds 0 --words 300
run ./pipeline-poison.py --chunks 100 --only backfill-10,worker-4
run ./pipeline-workers.py --rounds 1 --words 300 --only create,race
run ./pipeline-faults.py --hold 0 --words 300 --only disk,limit,read,kind,header,nan
run ./pipeline-signals.py --rounds 6 --words 400 --patience 6
run ./pipeline-edits.py --rounds 1 --edits 6 --words 200 --overtakings 1
run ./hostile-files.py --small
run ./long-line.py --bytes 200000000
suite=../../../shared/data/json-test-suite/test_parsing
if [ -d "$suite" ]; then run ./json-test-suite.py "$suite"; else echo "json-test-suite: skipped, no $suite"; fi
