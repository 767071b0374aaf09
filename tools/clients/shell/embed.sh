#!/usr/bin/env bash
# Text lines in, vectors out, in the order of the lines: JSON lines {"index", "embedding", "tokens", …}.
# Usage: embed.sh [PARAMS] <texts >vectors      PARAMS: JSON parameters of embed, for example '{"dimensions":64}'
#
# The engine is $MINILM, else minilm on PATH. A text that fails is reported on stderr, its line is {"index", "error"}, and the exit
# status is 1. Requests that were turned away as overload, or whose engine died, are sent again; the status is 2 after
# $ATTEMPTS (5) attempts in a row that brought no answer.
set -euo pipefail

fail() { local status=$1; shift; printf '%s\n' "embed.sh: $*" >&2; exit "$status"; }

params=${1:-'{}'}
engine=${MINILM:-minilm}
attempts=${ATTEMPTS:-5}
texts_per_request=64
command -v jq >/dev/null || fail 69 "jq is not installed"
command -v "$engine" >/dev/null || fail 69 "no engine: $engine"
jq -e 'type == "object"' >/dev/null 2>&1 <<<"$params" || fail 64 "the parameters are no JSON object: $params"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
end() { kill "$(cat "$folder/pid" 2>/dev/null)" 2>/dev/null || true; exit "$1"; }
trap 'end 130' INT
trap 'end 143' TERM
trap ':' PIPE

# Requests of some lines each; the id "FIRST:COUNT" says which. jq does all quoting.
jq -nRc --argjson params "$params" --argjson most "$texts_per_request" '
    foreach (inputs, null) as $line ({first: 0, texts: [], full: null};
        if $line != null and (.texts | length) < $most then .full = null | .texts += [$line]
        else .full = {first, texts} | .first += (.texts | length) | .texts = [$line] end;
        .full | select(. != null and .texts != [])
            | {jsonrpc: "2.0", id: "\(.first):\(.texts | length)", method: "embed", params: ($params + {input: .texts})})
' >"$folder/requests"
cp "$folder/requests" "$folder/todo"
: >"$folder/items"

# Answers, as lines "INDEX, tab, JSON", an item each. Half a line of an engine that died is no answer, nor is "overloaded".
read_answers() {
    jq -Rr 'fromjson? | select((.id | type) == "string" and .error.code != -32001)
        | (.id | split(":") | map(tonumber)) as [$first, $count]
        | (if .error then range($count) as $i | {index: $i, error: .error} else .result.data[] end)
        | .index += $first | del(.object) | "\(.index)\t\(tojson)"' >>"$folder/items"
}

# One engine for what is to do. This shell itself writes to it: if this shell is killed, the engine's input ends.
run() {
    local line feed
    exec {feed}> >(
        trap - PIPE INT TERM
        (echo "$BASHPID" >"$folder/pid" && exec "$engine" serve) | read_answers
    )
    while IFS= read -r line; do
        printf '%s\n' "$line" >&"$feed" 2>/dev/null || break
    done <"$folder/todo"
    exec {feed}>&-
    wait $! || true
}

left=$(wc -l <"$folder/todo")
for ((attempt = 1; left > 0 && attempt <= attempts; attempt++)); do
    run
    # A request is done when its first text has an item.
    awk -F '\t' 'FILENAME == ARGV[1] { done[$1]; next }
        match($0, /"id":"[0-9]+/) && !(substr($0, RSTART + 6, RLENGTH - 6) in done)' \
        "$folder/items" "$folder/todo" >"$folder/rest"
    mv "$folder/rest" "$folder/todo"
    before=$left
    left=$(wc -l <"$folder/todo")
    [ "$left" -eq "$before" ] || attempt=0
    [ "$left" -eq 0 ] || sleep 0.2
done

sort -n "$folder/items" | cut -f 2-
[ "$left" -eq 0 ] || fail 2 "no answer to $left requests in $attempts attempts"
if grep '"error":' "$folder/items" | sort -n | cut -f 2- >"$folder/errors"; then
    jq -r '"embed.sh: text \(.index): \(.error.message) (\(.error.code))"' "$folder/errors" >&2
    exit 1
fi
