#!/usr/bin/env bash
# Runs the tests of the Node.js client. Skips where there is no Node.js of version 18 or newer.
# Usage: tools/clients/node/test.sh     (environment: MINILM, MINILM_MODEL)
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v node >/dev/null || [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 18 ]; then
    echo "node client: skipped, Node.js 18 or newer is not installed"
    exit 0
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! timeout --kill-after=10 300 node --test test/*.test.js >"$log" 2>&1; then
    cat "$log"
    echo "node client: FAILED"
    exit 1
fi
count() { sed -nE "s/^(#|ℹ) $1 ([0-9]+)$/\2/p" "$log"; }
echo "node client: $(count pass) tests passed, $(count skipped) skipped"
