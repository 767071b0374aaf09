#!/usr/bin/env bash
# Sets everything up and embeds a text: packages, release build, checkpoint, conversion. Does only what is missing.
# Usage: tools/setup.sh [TEXT…]     (without a text: sets up and says how to go on)
set -euo pipefail
cd "$(dirname "$0")/.."

model=weights/all-MiniLM-L6-v2.safetensors
program=.build/release/minilm

build() {
    echo "building (the first time takes a few minutes)" >&2
    if ! log=$(swift build -c release --product minilm 2>&1); then
        printf '%s\n' "$log" >&2
        exit 70
    fi
    # A build that changed nothing must not be asked again.
    touch "$program"
}

tools/install-packages.sh
# Asking the package manager takes longer than looking whether anything is newer than the program.
if [ ! -x "$program" ] || [ -n "$(find Package.swift Sources -newer "$program" -print -quit)" ]; then
    build
fi
if ! "$program" info "$model" >/dev/null 2>&1; then
    tools/fetch-weights.sh
    "$program" convert weights/checkpoint "$model" --name sentence-transformers/all-MiniLM-L6-v2 >&2
fi
if [ $# -gt 0 ]; then
    exec "$program" embed --model "$model" -- "$@"
fi
printf '%s\n' "Ready. Try: $program embed 'A text'   or: $program --help" >&2
