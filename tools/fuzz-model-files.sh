#!/bin/sh
# Damages model files at random and expects every reader to refuse them or to work.
#
#     tools/fuzz-model-files.sh [HEADERS]
#
# HEADERS (a million unless given) is how many headers are read; a thirtieth as many files are opened and
# embed, a hundredth as many checkpoints are converted. The damage is the same every time, by its seed: a
# failure names it, and after a crash the file stays in the temporary directory.
set -eu
cd "$(dirname "$0")/.."
MINILM_MUTATIONS="${1:-1000000}" exec swift test -c release --disable-testable-imports --filter MutationTests
