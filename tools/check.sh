#!/usr/bin/env bash
# What CI checks beyond the tests: format, shell syntax, that the tree holds only what belongs there, and, where the program is built,
# the instructions in it and how many a token takes.
# Usage: tools/check.sh
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf '%s\n' "check: $*" >&2; exit 1; }

git ls-files -z '*.swift' | xargs -0 swift format lint --strict || fail "run tools/format.sh"
for script in $(git ls-files "tools/*.sh") .ci/run; do bash -n "$script" || fail "$script"; done
for script in $(git ls-files "tools/*.py"); do python3 - "$script" <<'P' || fail "$script"
import ast, sys
ast.parse(open(sys.argv[1]).read())
P
done

strays=$(git ls-files | cut -d/ -f1 | sort -u | grep -vxE 'Package\.swift|Sources|Tests|weights|tools|README\.md|\..*' || true)
[ -z "$strays" ] || fail "does not belong at the top level: $strays"
strays=$(git ls-files | grep -E '(^|/)\.build/|Package\.resolved$|^weights/.*\.safetensors$' || true)
[ -z "$strays" ] || fail "must not be committed: $strays"
strays=$(git grep -lE '\btry[!?]|TODO|FIXME' -- Sources || true)
[ -z "$strays" ] || fail "try!, try? or unfinished work in: $strays"

if [ -x .build/release/minilm ]; then
    tools/install-packages.sh binutils valgrind
    tools/check-instruction-sets.sh
    libraries=$(objdump -p .build/release/minilm | awk '$1 == "NEEDED" { print $2 }' |
        grep -vE '^(libsqlite3|libstdc\+\+|libgcc_s|libm|libc|ld-linux.*)\.so' || true)
    [ -z "$libraries" ] || fail "loaded at every start, needed or not: $libraries"
    tools/benchmarks/instructions.sh
fi
echo "check: clean"
