#!/usr/bin/env bash
# Builds the wheel and tries it in a fresh environment, away from the checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

rm -rf dist
PATH="$root/.venv/bin:$PATH" maturin build --release --locked --out dist
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --no-deps dist/*.whl
# The dependencies are those of .venv; reviva itself is the wheel's, for its own site-packages come first.
"$root/.venv/bin/python" -c 'import site; print(site.getsitepackages()[0])' >"$scratch/dependencies"
cp "$scratch/dependencies" "$("$scratch/venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')/dependencies.pth"
cd "$scratch"
venv/bin/python "$root/.ci/wheel_check.py" "$root"
venv/bin/reviva --help
