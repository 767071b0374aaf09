#!/usr/bin/env bash
# Installs the Debian packages that the build needs, where they are missing. As root, or with sudo.
# Usage: tools/install-packages.sh [MORE PACKAGES…]
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }

if ! command -v swift >/dev/null; then
    say "missing: Swift 6.2 or newer. Install it from https://www.swift.org/install/linux and put it on PATH."
    exit 69
fi

# What pdftotext and unrtf are missing from, a PDF or RTF file says itself; the tests need both.
packages=(
    libopenblas-dev libsqlite3-dev rapidjson-dev
    libarchive-dev libcsv-dev libgmime-3.0-dev libmagic-dev libuchardet-dev libxml2-dev poppler-utils unrtf
    "$@"
)
if ! command -v dpkg-query >/dev/null; then
    say "This is no Debian: please see to it that these packages' equivalents are installed: ${packages[*]}"
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
        missing+=("$package")
    fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ]; then
    sudo=()
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo=(sudo)
else
    say "missing: ${missing[*]}"
    say "Neither root nor able to use sudo here. Ask someone who is to run: apt-get install ${missing[*]}"
    exit 77
fi

say "installing: ${missing[*]}"
install() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null; }
# Package lists may be missing or old; then they are fetched and the installation tried once more.
install 2>/dev/null || { "${sudo[@]}" apt-get update -qq && install; } || {
    say "apt-get could not install: ${missing[*]}"
    exit 69
}
