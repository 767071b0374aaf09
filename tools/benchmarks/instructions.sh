#!/usr/bin/env bash
# Counts the instructions that a token takes (callgrind; one thread, texts of 12 tokens, the kernels for AVX2) and compares with
# instructions.txt: a guard against getting slower that no noise of the machine disturbs. Seconds are minilm bench's.
# Usage: tools/benchmarks/instructions.sh [--update]
set -euo pipefail
cd "$(dirname "$0")/../.."
program=.build/release/minilm
file=tools/benchmarks/instructions.txt
compiler=$(swift --version 2>&1 | grep -oE 'swift-[0-9.]+-[A-Z]+' | sort -u | tail -n 1 || true)

# Older valgrinds do not read the compiler's debug information.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
strip --strip-debug -o "$copy/minilm" "$program"

grep -q '\bavx2\b' /proc/cpuinfo || { echo "instructions: not counted: this processor has no AVX2"; exit 0; }

# The instructions of embedding so many texts, start included.
count() {
    for ((i = 0; i < $1; i++)); do
        for ((word = 0; word < 10; word++)); do printf 'word '; done
        echo "$i" | tr 0-9 a-j
    done | cut -d' ' -f2- | SWIFT_DETERMINISTIC_HASHING=1 valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        "$copy/minilm" embed --model weights/all-MiniLM-L6-v2.safetensors --backend simd --threads 1 --max-batch-tokens 512 --format f32 2>&1 >/dev/null |
        awk '/Collected/ { print $NF }'
}

# Few tokens: fused multiply-adds take callgrind long. Whole tiles: what a tile that is not full takes must not count.
few=$(count 1)
many=$(count 2)
[ -n "$few" ] && [ -n "$many" ] || { echo "instructions: callgrind counted nothing" >&2; exit 1; }
token=$(((many - few) / 12))
if [ "${1:-}" = --update ]; then
    printf '%s %s\n' "$token" "$compiler" >"$file"
    echo "instructions: $token a token ($compiler), now in $file"
    exit 0
fi
read -r expected expected_compiler <"$file"
if [ "$compiler" != "$expected_compiler" ]; then
    echo "instructions: $token a token with $compiler; not compared: the file's $expected are of $expected_compiler"
    exit 0
fi
# 1 % is far more than the count varies by.
if [ $((token * 100)) -gt $((expected * 101)) ]; then
    echo "instructions: $token a token, $expected before: slower; if it must be so: tools/benchmarks/instructions.sh --update" >&2
    exit 1
fi
echo "instructions: $token a token ($expected before)"
