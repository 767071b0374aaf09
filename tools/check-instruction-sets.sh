#!/usr/bin/env bash
# Checks that instructions of newer processors stand only in code that is entered behind a look at the processor: the kernels that
# are compiled for AVX2 and for AVX-512, and the cryptography library's own. One in code that all processors share would end the process on an older one.
# Usage: tools/check-instruction-sets.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-.build/release/minilm}

[ "$(uname -m)" = x86_64 ] || { echo "instruction sets: not checked: this is no x86-64"; exit 0; }
# In x86 assembly all instructions with the newer encodings begin with v; verr and verw are old. Those of AVX-512 have longer vectors,
# more of them, masks or broadcasts.
# A label with the hash of its file is a place in the assembly function before it.
strays=$(objdump -d --no-show-raw-insn "$program" | awk '
    /^[0-9a-f]+ <.*>:$/ { if ($2 !~ /^<[a-z]+_([a-z]+_)*[0-9a-f]+>:$/ || length($2) < 36) name = $2 }
    $2 ~ /^v[a-z]/ && $2 !~ /^ver[rw]$/ && name !~ /KernelsAVX(2|512)|CCryptoBoringSSL|_aesni_|GFMUL/ { print name, $2 }
    $0 ~ /%zmm|%[xy]mm(1[6-9]|2[0-9]|3[01])|[{]%k[0-7][}]|[{]1to[0-9]+[}]/ && name !~ /KernelsAVX512|CCryptoBoringSSL/ { print name, $2 }' |
    sort | uniq -c)
for set in AVX2 AVX512; do
    kernels=$(nm "$program" | grep -c "Kernels$set" || true)
    [ "$kernels" -gt 0 ] || { echo "instruction sets: the program has no kernels for $set" >&2; exit 1; }
done
if [ -n "$strays" ]; then
    printf 'instruction sets: in code that all processors run:\n%s\n' "$strays" >&2
    exit 1
fi
echo "instruction sets: those of newer processors are only behind a check"
