#!/usr/bin/env bash
# Formats all Swift files.
# Usage: tools/format.sh
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files -z '*.swift' | xargs -0 swift format -i
