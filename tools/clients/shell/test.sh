#!/usr/bin/env bash
# Runs the tests of the shell client, and the examples of its README. Skips where there is no jq.
# Usage: tools/clients/shell/test.sh     (environment: MINILM, MINILM_MODEL)
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v jq >/dev/null; then
    echo "shell client: skipped, jq is not installed"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

find_engine() {
    local up=$PWD
    while [ "$up" != / ]; do
        [ ! -x "$up/.build/release/minilm" ] || { echo "$up/.build/release/minilm"; return; }
        up=$(dirname "$up")
    done
    command -v minilm || echo minilm
}
export MINILM=${MINILM:-$(find_engine)}
fake=$PWD/fake-engine.sh
passed=0
pass() { passed=$((passed + 1)); }
fail() { echo "shell client: FAILED: $*" >&2; exit 1; }

# compare FILE FILE COUNT: both hold COUNT vectors, in the same order, within 1e-6.
compare() {
    jq -ne --slurpfile a "$1" --slurpfile b "$2" --argjson count "$3" '
        ($a | length) == $count and ($b | length) == $count and ([$a, $b] | transpose
            | all(.[0].index == .[1].index and ([.[0].embedding, .[1].embedding] | transpose
                | all(.[0] - .[1] | . < 1e-6 and . > -1e-6))))' >/dev/null
}

printf '%s\n' 'plain' '' '  "quoted" \ $HOME `x` ' $'a\ttab' 'naïve 日本語 😀' '-n' 'null' '{"a":1}' 'no newline at the end' |
    head -c -1 >"$folder/texts"
./embed.sh <"$folder/texts" >"$folder/got"
"$MINILM" embed --quiet --format jsonl <"$folder/texts" >"$folder/expected"
compare "$folder/got" "$folder/expected" 9 || fail "vectors differ from those of the command line"
pass

[ -z "$(./embed.sh </dev/null)" ] || fail "output without input"
pass

awk 'BEGIN { split("a b cat dog sun no yes", t, " "); for (i = 0; i < 10000; i++) print t[(i * i) % 7 + 1] }' >"$folder/many"
./embed.sh <"$folder/many" | jq -c '[.index, .embedding[:2]]' >"$folder/got"
printf '%s\n' a b cat dog sun no yes | "$MINILM" embed --quiet | jq -c '.embedding[:2]' >"$folder/seven"
jq -ne --slurpfile seven "$folder/seven" --slurpfile got "$folder/got" '($got | length) == 10000 and ([range(10000) as $i
    | $got[$i][0] == $i and ($seven[$i * $i % 7] as $e | [$got[$i][1], $e] | transpose | all(.[0] - .[1] | fabs < 1e-6))] | all)
    ' >/dev/null || fail "ten thousand texts are not in order"
pass

# Waits until the script in the background has written something to its file of this name.
await() {
    for _ in $(seq 3000); do
        [ -z "$(find "$folder/run" -name "$1" -size +0 2>/dev/null)" ] || return 0
        sleep 0.02
    done
    fail "the script wrote no $1"
}

# The engine is killed while it works.
awk 'BEGIN { for (i = 0; i < 1500; i++) print "sentence number", i, "of many" }' >"$folder/many"
mkdir "$folder/run"
TMPDIR=$folder/run ./embed.sh <"$folder/many" >"$folder/got" &
host=$!
await items
kill -KILL "$(cat "$folder"/run/*/pid)"
wait "$host" || fail "status $? after the engine was killed"
"$MINILM" embed --quiet <"$folder/many" >"$folder/expected"
compare "$folder/got" "$folder/expected" 1500 || fail "wrong vectors after the engine was killed"
pass

# The host is killed while the engine works.
gone() {
    for _ in $(seq 3000); do
        case "$(ps -o stat= -p "$1" || true)" in '' | Z*) return 0 ;; esac
        sleep 0.02
    done
    return 1
}
rm -rf "$folder/run"
mkdir "$folder/run"
TMPDIR=$folder/run ./embed.sh <"$folder/many" >/dev/null &
host=$!
await pid
engine=$(cat "$folder"/run/*/pid)
kill -KILL "$host"
wait "$host" 2>/dev/null || true
gone "$engine" || fail "an engine is left behind"
pass

# expect STATUS MISBEHAVIOUR: runs 130 texts, "!bad" among them or not, through the fake engine.
expect() {
    local status=0
    rm -f "$folder/once"
    MINILM=$fake ONCE=$folder/once MISBEHAVE=$2 ./embed.sh <"$folder/texts" >"$folder/got" 2>"$folder/err" || status=$?
    [ "$status" -eq "$1" ] || fail "$2: status $status, expected $1: $(tail -c 300 "$folder/err")"
    [ "$(jq -c '[.index, .embedding[0] // 0]' "$folder/got" | sha256sum)" = "$(jq -nc '$texts | split("\n")[:-1] | to_entries[]
        | [.key, if .value == "!bad" then 0 else (.value | length) end]' --rawfile texts "$folder/texts" | sha256sum)" ] ||
        fail "$2: wrong items"
    pass
}
# The engine turns away most of what is sent at once.
MINILM_MAX_CONCURRENT_REQUESTS=1 ./embed.sh <"$folder/many" >"$folder/got" || fail "status $? with overload"
compare "$folder/got" "$folder/expected" 1500 || fail "wrong vectors with overload"
pass

awk 'BEGIN { for (i = 1; i <= 130; i++) printf "%0*d\n", i, 0 }' >"$folder/texts"
for misbehaviour in none crash overload dead flood; do expect 0 "$misbehaviour"; done
sed -i '100s/.*/!bad/' "$folder/texts"
expect 1 none
grep -q '^embed.sh: text 99: bad text (-32003)$' "$folder/err" || fail "the bad text is not reported"
pass

# SIGTERM to the script ends an engine that does not answer.
rm -rf "$folder/run" "$folder/once"
mkdir "$folder/run"
TMPDIR=$folder/run MINILM=$fake ONCE=$folder/once MISBEHAVE=hang ./embed.sh <"$folder/texts" >/dev/null &
host=$!
await pid
until [ -s "$folder/once" ]; do sleep 0.02; done
engine=$(cat "$folder"/run/*/pid)
kill -TERM "$host"
status=0
wait "$host" || status=$?
kill "$(cat "$folder/once")"
[ "$status" -eq 143 ] || fail "status $status after SIGTERM"
gone "$engine" || fail "an engine is left behind after SIGTERM"
[ -z "$(ls "$folder/run")" ] || fail "files are left behind after SIGTERM"
pass

status=0
MINILM=/nonexistent/minilm ./embed.sh <"$folder/texts" 2>/dev/null || status=$?
[ "$status" -eq 69 ] || fail "status $status without an engine"
status=0
./embed.sh 'no json' <"$folder/texts" 2>/dev/null || status=$?
[ "$status" -eq 64 ] || fail "status $status with bad parameters"
pass

# The README's examples.
mkdir "$folder/bin" "$folder/examples"
ln -s "$(command -v "$MINILM")" "$folder/bin/minilm"
ln -s "$PWD/embed.sh" "$folder/bin/embed.sh"
awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md >"$folder/examples.sh"
(cd "$folder/examples" && PATH=$folder/bin:$PATH bash -euo pipefail "$folder/examples.sh") >"$folder/got" 2>"$folder/err" ||
    fail "the README's examples: $? $(cat "$folder/err")"
[ "$(grep -c . "$folder/got")" -eq 8 ] || fail "the README's examples print: $(cut -c -100 "$folder/got")"
pass

echo "shell client: $passed tests passed"
