#!/usr/bin/env bash
# Installs the Debian packages that a build needs and that are lacking; without root it only names them.
set -euo pipefail

lacking=()
command -v cc >/dev/null || lacking+=(build-essential)
command -v curl >/dev/null || lacking+=(curl)
command -v valgrind >/dev/null || lacking+=(valgrind)
python3 -c 'import ensurepip, venv' 2>/dev/null || lacking+=(python3-venv)

if ! command -v cargo >/dev/null; then
    echo "Rust is lacking: install it with rustup (1.88 or newer), then run this again." >&2
    exit 1
fi
if ((${#lacking[@]} == 0)); then
    exit 0
fi
if ((EUID != 0)); then
    echo "Packages are lacking: run 'apt-get install ${lacking[*]}' as root, then this again." >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends "${lacking[@]}"
