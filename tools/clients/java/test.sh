#!/usr/bin/env bash
# Runs the tests of the Java client, and the example of its README. Skips where there is no JDK 17 or no Gson.
# Usage: tools/clients/java/test.sh     (environment: MINILM, MINILM_MODEL, GSON_JAR)
set -euo pipefail
cd "$(dirname "$0")"

gson=${GSON_JAR:-/usr/share/java/gson.jar}
skip() { echo "java client: skipped, $*"; exit 0; }
command -v java >/dev/null && command -v javac >/dev/null || skip "no JDK is installed"
version=$(javac -version 2>&1 | sed -nE 's/^javac ([0-9]+).*/\1/p')
[ "${version:-0}" -ge 17 ] || skip "the JDK is older than 17"
[ -e "$gson" ] || skip "no $gson; install libgoogle-gson-java, or set GSON_JAR"

find_engine() {
    local up=$PWD
    while [ "$up" != / ]; do
        [ ! -x "$up/.build/release/minilm" ] || { echo "$up/.build/release/minilm"; return; }
        up=$(dirname "$up")
    done
    command -v minilm || echo minilm
}
export MINILM=${MINILM:-$(find_engine)}

classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
awk '/^```java$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md >"$classes/Example.java"
javac --release 17 -Xlint:all -Werror -encoding UTF-8 -d "$classes" -cp "$gson" src/main/java/minilm/*.java
javac --release 17 -Xlint:all -Werror -encoding UTF-8 -d "$classes" -cp "$gson:$classes" \
    src/test/java/minilm/*.java "$classes/Example.java"

run() { timeout --kill-after=10 300 java -XX:TieredStopAtLevel=1 -Dfile.encoding=UTF-8 -cp "$classes:$gson" "$@"; }
expected=$'384\ntrue\n0 3\n1 3\n2 3'
[ "$(run Example)" = "$expected" ] || { echo "java client: FAILED: the example of the README"; exit 1; }
run minilm.EngineTests || { echo "java client: FAILED: exit status $?"; exit 1; }
