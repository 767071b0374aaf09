#!/usr/bin/env bash
# An engine for the tests: the vector of a text is [its length]. $MISBEHAVE says how the first run with $ONCE (a file) errs.
set -euo pipefail

misbehave=none
if [ ! -e "$ONCE" ]; then
    : >"$ONCE"
    misbehave=${MISBEHAVE:-none}
fi
[ "$misbehave" != flood ] || head -c 8000000 /dev/zero | tr '\0' 'x' >&2
[ "$misbehave" != dead ] || exit 66

served=0
while IFS= read -r line; do
    served=$((served + 1))
    case "$misbehave" in
        overload)
            jq -c '{jsonrpc: "2.0", id, error: {code: -32001, message: "overloaded", data: {retry_after_ms: 5}}}' <<<"$line"
            continue ;;
        crash)
            if [ "$served" -eq 2 ]; then
                printf '{"jsonrpc":"2.0","id":"64:64","resu'
                kill -KILL $$
            fi ;;
        hang) sleep 1000 & echo $! >>"$ONCE"; wait ;;
    esac
    jq -c '{jsonrpc: "2.0", id, result: {data: [.params.input | to_entries[]
        | if .value == "!bad" then {index: .key, error: {code: -32003, message: "bad text"}}
          else {object: "embedding", index: .key, embedding: [(.value | length)], tokens: 3} end]}}' <<<"$line"
done
